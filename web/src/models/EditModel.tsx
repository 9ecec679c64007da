import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type BaseModel, LifecycleSchema, StageSchema, toTunesmithError } from "@tunesmith/sdk";
import { type FormEvent, useId, useState } from "react";
import { Button } from "../ui/Button.js";
import { EnumSelect } from "../ui/EnumSelect.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Field } from "../ui/Field.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";

/** What people say about a model; what its files decide stays. */
export function EditModel({ model, onClose }: { model: BaseModel; onClose: () => void }) {
  const { registry } = useTunesmith();
  const client = useQueryClient();
  const dialog = useDialog();
  const title = useId();
  const [said, setSaid] = useState({
    displayName: model.displayName,
    stage: model.stage,
    lifecycle: model.lifecycle,
    license: model.license,
    private: model.private,
    credentialId: model.credentialId,
  });
  const saving = useMutation({
    mutationFn: () => {
      // Only what is different is sent: somebody else may have changed the rest meanwhile.
      const changed = Object.entries(said).filter(([key, value]) => value !== model[key as keyof typeof said]);
      return registry.updateBaseModel({ id: model.id, ...Object.fromEntries(changed) });
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["models"] });
      dialog.current?.close();
    },
  });
  const { violations = [] } = saving.error ? toTunesmithError(saving.error) : {};
  const errorsOf = (path: string) => violations.filter(({ fieldPath }) => fieldPath === path).map(({ message }) => message);
  const placed = ["display_name", "stage", "lifecycle", "license", "credential_id"];
  const text = (key: "displayName" | "license" | "credentialId", path: string, label: string, help: string, sample = "") => (
    <Field label={label} help={help} errors={errorsOf(path)}>
      {(tied) => (
        <input
          {...tied}
          className="input"
          value={said[key]}
          placeholder={sample}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setSaid({ ...said, [key]: event.target.value })}
        />
      )}
    </Field>
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!saving.isPending) {
      saving.mutate();
    }
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <form className="stack" onSubmit={submit} noValidate>
        <h2 id={title}>Change {model.displayName || model.hubRepo}</h2>
        {text("displayName", "display_name", "Display name", "What people call it.")}
        <Field label="Stage" help="How far along the model is." errors={errorsOf("stage")}>
          {(tied) => <EnumSelect {...tied} schema={StageSchema} value={said.stage} onChange={(stage) => setSaid({ ...said, stage })} />}
        </Field>
        <Field label="Lifecycle" help="Production once it was vetted." errors={errorsOf("lifecycle")}>
          {(tied) => (
            <EnumSelect
              {...tied}
              schema={LifecycleSchema}
              value={said.lifecycle}
              onChange={(lifecycle) => setSaid({ ...said, lifecycle })}
            />
          )}
        </Field>
        {text("license", "license", "Licence", "As its publisher names it.", "apache-2.0")}
        {model.hubRepo && (
          <>
            <label className="choice">
              <input
                type="checkbox"
                checked={said.private}
                onChange={(event) => setSaid({ ...said, private: event.target.checked })}
              />
              Its repository asks for a credential
            </label>
            {said.private &&
              text("credentialId", "credential_id", "Credential", "The environment variable of the server that holds the token.", "HF_TOKEN")}
          </>
        )}
        {saving.error && violations.every(({ fieldPath }) => !placed.includes(fieldPath)) && <ErrorNotice error={saving.error} />}
        <div className="row">
          <Button type="submit" look="primary" aria-disabled={saving.isPending}>
            {saving.isPending ? "Saving…" : "Save"}
          </Button>
          <Button onClick={() => dialog.current?.close()}>Cancel</Button>
        </div>
      </form>
    </dialog>
  );
}
