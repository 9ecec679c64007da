import { isTerminal, type Job } from "@tunesmith/sdk";
import { useId, useRef } from "react";
import { Link } from "wouter";
import { Button } from "../../ui/Button.js";
import { CopyAs } from "../../ui/CopyAs.js";
import { getJobCommands } from "../../ui/commands.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { allowedActions, type JobAction } from "./jobActions.js";
import { ScriptButton } from "./ScriptDialog.js";
import { exportOf } from "./specs.js";
import type { ActedJob } from "./useJobAction.js";

const WORDS: Record<JobAction, string> = { pause: "Pause", resume: "Resume", cancel: "Cancel job" };

/** What can be done with a job now. */
export function JobActions({ job, acted }: { job: Job; acted: ActedJob }) {
  const { baseUrl } = useTunesmith();
  const dialog = useRef<HTMLDialogElement>(null);
  const allowed = allowedActions(job);
  return (
    <div className="row">
      {allowed.map((action) => (
        <Button
          key={action}
          look={action === "cancel" ? "danger" : "normal"}
          disabled={acted.pending !== undefined}
          onClick={() => (action === "cancel" ? dialog.current?.showModal() : acted.act(action))}
        >
          {WORDS[action]}
        </Button>
      ))}
      {isTerminal(job.state) && !exportOf(job) && (
        <Link href={`/jobs/new?from=${encodeURIComponent(job.id)}`} className="button">
          Run again
        </Link>
      )}
      {!exportOf(job) && <ScriptButton job={job} />}
      <CopyAs commands={() => getJobCommands(baseUrl, job.id)} />
      <CancelDialog ref={dialog} job={job} onConfirm={() => acted.act("cancel")} />
    </div>
  );
}

/** Cancelling can't be undone, so it is asked for twice. */
function CancelDialog({
  ref,
  job,
  onConfirm,
}: {
  ref: React.RefObject<HTMLDialogElement | null>;
  job: Job;
  onConfirm: () => void;
}) {
  const title = useId();
  const close = () => ref.current?.close();
  return (
    <dialog ref={ref} className="dialog" aria-labelledby={title}>
      <div className="stack">
        <h2 id={title}>Cancel “{job.displayName || job.id}”?</h2>
        <p>
          It stops at its next step and can't go on from there. Checkpoints that are listed already stay. To stop it for a while,
          pause it.
        </p>
        <div className="row">
          {/* First, because a dialog gives its first button the focus: Enter by habit must cancel nothing. */}
          <Button onClick={close}>Let it go on</Button>
          <Button
            look="danger"
            onClick={() => {
              close();
              onConfirm();
            }}
          >
            Cancel the job
          </Button>
        </div>
      </div>
    </dialog>
  );
}
