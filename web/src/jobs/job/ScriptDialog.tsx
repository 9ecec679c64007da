import { useQuery } from "@tanstack/react-query";
import { type Job, ScriptFormat, ScriptFormatSchema } from "@tunesmith/sdk";
import { useId, useState } from "react";
import { Button } from "../../ui/Button.js";
import { EnumSelect } from "../../ui/EnumSelect.js";
import { ErrorNotice } from "../../ui/ErrorNotice.js";
import { Field } from "../../ui/Field.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { useDialog } from "../../ui/useDialog.js";

/** Opens the file that does what a job does without Tunesmith. */
export function ScriptButton({ job }: { job: Job }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>Script</Button>
      {open && <ScriptDialog job={job} onClose={() => setOpen(false)} />}
    </>
  );
}

function ScriptDialog({ job, onClose }: { job: Job; onClose: () => void }) {
  const { jobs } = useTunesmith();
  const dialog = useDialog();
  const title = useId();
  const [format, setFormat] = useState(ScriptFormat.PYTHON);
  const script = useQuery({
    queryKey: ["job", job.id, "script", format],
    queryFn: ({ signal }) => jobs.getJobScript({ id: job.id, format }, { signal }),
    staleTime: Infinity,
  });
  return (
    <dialog ref={dialog} className="dialog dialog-wide" aria-labelledby={title} onClose={onClose}>
      <div className="stack">
        <h2 id={title}>This job as a script</h2>
        <p className="soft">It does what the job does, without Tunesmith.</p>
        <Field label="Written for">
          {(tied) => <EnumSelect {...tied} schema={ScriptFormatSchema} value={format} onChange={setFormat} />}
        </Field>
        {script.error && <ErrorNotice error={script.error} onRetry={() => void script.refetch()} />}
        {script.isPending && <p className="soft">Writing it…</p>}
        {script.data && script.data.differences.length > 0 && (
          <div>
            <h3>What it does otherwise</h3>
            <ul>
              {script.data.differences.map((difference) => (
                <li key={difference}>{difference}</li>
              ))}
            </ul>
          </div>
        )}
        {script.data && (
          <pre className="code job-script" tabIndex={0} aria-label={script.data.fileName}>
            {script.data.content}
          </pre>
        )}
        <div className="row">
          {script.data && (
            <Button look="primary" onClick={() => save(script.data.fileName, script.data.content)}>
              Download {script.data.fileName}
            </Button>
          )}
          <Button onClick={() => dialog.current?.close()}>Close</Button>
        </div>
      </div>
    </dialog>
  );
}

function save(name: string, content: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
