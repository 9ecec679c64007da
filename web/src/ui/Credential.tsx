import { type BaseModel, CacheStatus, toTunesmithError, type TunesmithError } from "@tunesmith/sdk";
import { type FormEvent, useState } from "react";
import { Button } from "./Button.js";
import { ErrorNotice } from "./ErrorNotice.js";
import { Field } from "./Field.js";
import { useTunesmith } from "./tunesmith.js";

/** Whether a model can't be downloaded before somebody says where its token is. */
export function needsCredential(model: BaseModel): boolean {
  return model.private && !model.credentialId && model.cacheStatus !== CacheStatus.CACHED;
}

/** Where a private model's token is: the name of an environment variable of the server, never the token. */
export function Credential({ model, onSaved }: { model: BaseModel; onSaved(model: BaseModel): void }) {
  const { registry } = useTunesmith();
  const [name, setName] = useState(model.credentialId);
  const [error, setError] = useState<TunesmithError>();
  const [saving, setSaving] = useState(false);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (saving) {
      return;
    }
    setSaving(true);
    setError(undefined);
    try {
      const { baseModel } = await registry.updateBaseModel({ id: model.id, credentialId: name.trim() });
      if (baseModel) {
        onSaved(baseModel);
      }
    } catch (thrown) {
      setError(toTunesmithError(thrown));
    } finally {
      setSaving(false);
    }
  };
  const own = (error?.violations ?? []).filter(({ fieldPath }) => fieldPath === "credential_id").map(({ message }) => message);
  return (
    <form className="credential" onSubmit={(event) => void save(event)} noValidate>
      <Field
        label="Credential of this private model"
        help="The environment variable of the server that holds the token, such as HF_TOKEN. Never the token itself."
        errors={own}
      >
        {(tied) => (
          <span className="credential-row">
            <input
              {...tied}
              className="input"
              value={name}
              placeholder="HF_TOKEN"
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
              onChange={(event) => setName(event.target.value)}
            />
            <Button type="submit" aria-disabled={saving}>
              {saving ? "Saving…" : "Save"}
            </Button>
          </span>
        )}
      </Field>
      {error && own.length === 0 && <ErrorNotice error={error} />}
    </form>
  );
}
