import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type Adapter, type BaseModel, toTunesmithError } from "@tunesmith/sdk";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Field } from "../ui/Field.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";
import { bytes } from "../ui/words.js";

/** Uploads an adapter: a tar archive, as a job's download is. */
export function UploadAdapter({
  models,
  onClose,
  onAdded,
}: {
  models: readonly BaseModel[];
  onClose: () => void;
  onAdded: (adapter: Adapter) => void;
}) {
  const tunesmith = useTunesmith();
  const client = useQueryClient();
  const dialog = useDialog();
  const title = useId();
  const [file, setFile] = useState<File>();
  const [baseModel, setBaseModel] = useState("");
  const [displayName, setDisplayName] = useState("");
  const [missing, setMissing] = useState(false);
  const [sent, setSent] = useState(0);
  const stop = useRef(new AbortController());
  useEffect(() => {
    stop.current = new AbortController();
    return () => stop.current.abort();
  }, []);
  const sending = useMutation({
    mutationFn: (archive: File) => {
      setSent(0);
      const options = { baseModel, displayName: displayName.trim(), signal: stop.current.signal, onProgress: setSent };
      return tunesmith.uploadAdapter(archive, options);
    },
    onSuccess: (adapter) => {
      void client.invalidateQueries({ queryKey: ["adapters"] });
      onAdded(adapter);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setMissing(true);
    if (file && baseModel && !sending.isPending) {
      sending.mutate(file);
    }
  };
  const { violations = [] } = sending.error ? toTunesmithError(sending.error) : {};
  const errorsOf = (path: string) => violations.filter(({ fieldPath }) => fieldPath === path).map(({ message }) => message);
  const placed = ["data", "base_model", "display_name"];
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <form className="stack" onSubmit={submit} noValidate>
        <h2 id={title}>Upload an adapter</h2>
        <Field
          label="Archive"
          help="A tar with adapter_config.json and adapter_model.safetensors, as a job's download is."
          errors={[...(missing && !file ? ["Choose a tar archive."] : []), ...errorsOf("data")]}
        >
          {(tied) => <input {...tied} className="input file" type="file" accept=".tar" onChange={(event) => setFile(event.target.files?.[0])} />}
        </Field>
        <Field
          label="Base model"
          help="The model it was trained on; its layers are compared."
          errors={[...(missing && !baseModel ? ["Choose the model it was trained on."] : []), ...errorsOf("base_model")]}
        >
          {(tied) => (
            <select {...tied} className="input" value={baseModel} onChange={(event) => setBaseModel(event.target.value)}>
              <option value="">Choose…</option>
              {models.map((model) => (
                <option key={model.id} value={model.id}>
                  {model.hubRepo || model.displayName}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Display name" help="Empty means the base model's name." errors={errorsOf("display_name")}>
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
        {sending.isPending && file && (
          <div className="stack-small">
            <progress className="progress" aria-label={`Upload of ${file.name}`} max={file.size || 1} value={sent} />
            <p className="soft">{sent < file.size ? `${bytes(sent)} of ${bytes(file.size)}` : "All there; checking it…"}</p>
          </div>
        )}
        {sending.error && !violations.some(({ fieldPath }) => placed.includes(fieldPath)) && <ErrorNotice error={sending.error} />}
        <div className="row">
          <Button type="submit" look="primary" aria-disabled={sending.isPending}>
            {sending.isPending ? "Uploading…" : "Upload"}
          </Button>
          <Button onClick={() => dialog.current?.close()}>Cancel</Button>
        </div>
      </form>
    </dialog>
  );
}
