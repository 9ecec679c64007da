import { Code, type Job, type JobEvent, JobEventType, JobState } from "@tunesmith/sdk";
import type { ReactNode } from "react";
import { Notice } from "../ui/Notice.js";

/** What a person should know before looking at curves: why a job ended, what it waits for, what does not act. */
export function JobNotices({ job, events, action }: { job: Job; events: JobEvent[]; action?: ReactNode }) {
  const dropped = events.filter(({ type }) => type === JobEventType.FIELD_DROPPED);
  return (
    <>
      {job.state === JobState.FAILED && (
        <Notice tone="bad" action={action}>
          <strong>It failed{job.error ? ` (${codeWord(job.error.code)})` : ""}.</strong> {job.error?.message}
        </Notice>
      )}
      {job.state === JobState.CANCELLED && job.error?.message && <Notice>{job.error.message}</Notice>}
      {job.state === JobState.QUEUED && (
        <Notice tone="busy">
          {job.attempt > 0
            ? "It waits for a pool to go on with it, from where its training stood."
            : "It waits for a pool that takes work."}{" "}
          <span className="soft">
            <code>tunesmith pools list</code> shows the pools.
          </span>
        </Notice>
      )}
      {job.pauseRequested && <Notice tone="busy">It stops behind its next step, once its training state is stored.</Notice>}
      {dropped.length > 0 && (
        <Notice tone="warn">
          <strong>
            {dropped.length === 1
              ? "A field of its configuration does not act:"
              : `${dropped.length} fields of its configuration do not act:`}
          </strong>
          <ul className="monitor-dropped">
            {dropped.map(({ sequence, message }) => (
              <li key={String(sequence)}>{message}</li>
            ))}
          </ul>
        </Notice>
      )}
    </>
  );
}

function codeWord(code: number): string {
  const name = Code[code] ?? `code ${code}`;
  return name.replace(/(?<=.)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
}
