import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ConversionTarget, ConversionTargetSchema, type Dataset } from "@tunesmith/sdk";
import { type FormEvent, useId, useState } from "react";
import { Link } from "wouter";
import { Button } from "../ui/Button.js";
import { EnumSelect } from "../ui/EnumSelect.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Field } from "../ui/Field.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";
import { count } from "../ui/words.js";

/** The gateway's own limit: every row is rewritten meanwhile. */
const TIMEOUT_MS = 60_000;

/** Makes a dataset of another format out of one. */
export function ConvertDialog({ dataset, onClose }: { dataset: Dataset; onClose: () => void }) {
  const { registry } = useTunesmith();
  const client = useQueryClient();
  const dialog = useDialog();
  const title = useId();
  const [target, setTarget] = useState(ConversionTarget.MESSAGES);
  const [displayName, setDisplayName] = useState("");
  const [skipUnfitRows, setSkip] = useState(false);
  const converting = useMutation({
    mutationFn: () =>
      registry.convertDataset({ id: dataset.id, target, displayName: displayName.trim(), skipUnfitRows }, { timeoutMs: TIMEOUT_MS }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["datasets", "list"] }),
  });
  const made = converting.data;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!converting.isPending) {
      converting.mutate();
    }
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <h2 id={title}>Convert {dataset.displayName || dataset.filename}</h2>
        <Field label="Into" help="The rows of this dataset stay as they are; a new dataset is made.">
          {(tied) => <EnumSelect {...tied} schema={ConversionTargetSchema} value={target} onChange={setTarget} />}
        </Field>
        <Field label="Display name" help="Empty means this dataset's name and the format's. A name that is there already gets a new version.">
          {(tied) => (
            <input
              {...tied}
              className="input"
              value={displayName}
              autoComplete="off"
              maxLength={128}
              onChange={(event) => setDisplayName(event.target.value)}
            />
          )}
        </Field>
        <label className="choice">
          <input type="checkbox" checked={skipUnfitRows} onChange={(event) => setSkip(event.target.checked)} />
          Leave out rows that it has no room for; otherwise they are an error and nothing is stored
        </label>
        {converting.error && <ErrorNotice error={converting.error} />}
        <div role="status">
          {made?.dataset && (
            <div className="notice notice-good">
              <p>
                Stored as{" "}
                <Link href={`/datasets/${made.dataset.id}`} onClick={() => dialog.current?.close()}>
                  {made.dataset.displayName}, version {made.dataset.version}
                </Link>
                : {count(made.dataset.rowCount)} rows{made.skippedRowCount > 0n && `, ${count(made.skippedRowCount)} left out`}.
              </p>
              {made.skippedRows.length > 0 && (
                <ul className="skipped">
                  {made.skippedRows.map((reason) => (
                    <li key={reason}>{reason}</li>
                  ))}
                  {made.skippedRowCount > BigInt(made.skippedRows.length) && <li>and more</li>}
                </ul>
              )}
            </div>
          )}
        </div>
        <div className="row">
          <Button type="submit" look="primary" aria-disabled={converting.isPending}>
            {converting.isPending ? "Converting…" : "Convert"}
          </Button>
          <Button onClick={() => dialog.current?.close()}>{made ? "Close" : "Cancel"}</Button>
        </div>
      </form>
    </dialog>
  );
}
