import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type Adapter, toTunesmithError } from "@tunesmith/sdk";
import { type FormEvent, useId, useState } from "react";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Field } from "../ui/Field.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";

/** What people say about an adapter; what its files decide stays. */
export function EditAdapter({ adapter, onClose }: { adapter: Adapter; onClose: () => void }) {
  const { adapters } = useTunesmith();
  const client = useQueryClient();
  const dialog = useDialog();
  const title = useId();
  const [displayName, setDisplayName] = useState(adapter.displayName);
  const [description, setDescription] = useState(adapter.description);
  const saving = useMutation({
    mutationFn: () => adapters.updateAdapter({ id: adapter.id, displayName: displayName.trim(), description }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["adapters"] });
      dialog.current?.close();
    },
  });
  const { violations = [] } = saving.error ? toTunesmithError(saving.error) : {};
  const own = violations.filter(({ fieldPath }) => fieldPath === "display_name").map(({ message }) => message);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!saving.isPending) {
      saving.mutate();
    }
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <form className="stack" onSubmit={submit} noValidate>
        <h2 id={title}>Change {adapter.displayName}</h2>
        <Field label="Display name" errors={own}>
          {(tied) => <input {...tied} className="input" value={displayName} autoComplete="off" onChange={(event) => setDisplayName(event.target.value)} />}
        </Field>
        <Field label="Description">
          {(tied) => (
            <textarea
              {...tied}
              className="input adapter-description"
              rows={4}
              maxLength={2048}
              value={description}
              onChange={(event) => setDescription(event.target.value)}
            />
          )}
        </Field>
        {saving.error && own.length === 0 && <ErrorNotice error={saving.error} />}
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
