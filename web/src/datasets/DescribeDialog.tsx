import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Dataset } from "@tunesmith/sdk";
import { type FormEvent, useId, useState } from "react";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Field } from "../ui/Field.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";

/** What people say about a dataset; its rows never change. */
export function DescribeDialog({ dataset, onClose }: { dataset: Dataset; onClose: () => void }) {
  const { registry } = useTunesmith();
  const client = useQueryClient();
  const dialog = useDialog();
  const title = useId();
  const [description, setDescription] = useState(dataset.description);
  const saving = useMutation({
    mutationFn: () => registry.updateDataset({ id: dataset.id, description }),
    onSuccess: (answer) => {
      client.setQueryData(["datasets", dataset.id], answer.dataset);
      dialog.current?.close();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!saving.isPending) {
      saving.mutate();
    }
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <h2 id={title}>Describe {dataset.displayName || dataset.filename}</h2>
        <Field label="Description" help="What it is for, where it is from, what to watch out for.">
          {(tied) => (
            <textarea
              {...tied}
              className="input describe"
              rows={5}
              maxLength={2048}
              value={description}
              onChange={(event) => setDescription(event.target.value)}
            />
          )}
        </Field>
        {saving.error && <ErrorNotice error={saving.error} />}
        <div className="row">
          <Button type="submit" look="primary" aria-disabled={saving.isPending}>
            Save
          </Button>
          <Button onClick={() => dialog.current?.close()}>Cancel</Button>
        </div>
      </form>
    </dialog>
  );
}
