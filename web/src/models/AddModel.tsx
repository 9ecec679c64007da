import { toJsonString } from "@bufbuild/protobuf";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type BaseModel, CreateBaseModelRequestSchema, Stage, StageSchema, toTunesmithError } from "@tunesmith/sdk";
import { type FormEvent, useId, useRef, useState } from "react";
import { Button } from "../ui/Button.js";
import { createBaseModelCommands } from "../ui/commands.js";
import { CopyAs } from "../ui/CopyAs.js";
import { enumChoices } from "../ui/enumWord.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Field } from "../ui/Field.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";
import { type Creation, errorsByField, requestOf, type Source } from "./creation.js";

const SOURCES: [source: Source, name: string][] = [
  ["hub", "Hugging Face Hub"],
  ["folder", "Folder on the server"],
  ["artifact", "What a job made"],
];
/** The gateway's own limit; files are copied and checked meanwhile. */
const TIMEOUT_MS = 60_000;

interface AddModelProps {
  /** A file of the model that a job made; empty: another source. */
  artifactId: string;
  onClose: () => void;
  onAdded: (model: BaseModel) => void;
}

/** Registers a base model. */
export function AddModel({ artifactId, onClose, onAdded }: AddModelProps) {
  const tunesmith = useTunesmith();
  const client = useQueryClient();
  const dialog = useDialog();
  const title = useId();
  const [creation, setCreation] = useState<Creation>({
    source: artifactId ? "artifact" : "hub",
    repo: "",
    revision: "",
    folder: "",
    artifactId,
    hubRepo: "",
    displayName: "",
    stage: Stage.UNSPECIFIED,
    private: false,
    credentialId: "",
    license: "",
  });
  const [errors, setErrors] = useState<Map<string, string[]>>(new Map());
  const sent = useRef({ body: "", requestId: "" });
  const adding = useMutation({
    mutationFn: async () => {
      const request = requestOf(creation);
      // The rules and what reads them are heavy; nobody needs them before the first model is added.
      const { validate } = await import("@tunesmith/sdk/validation");
      const shown = new Set([...document.querySelectorAll<HTMLElement>("[data-path]")].map((field) => field.dataset.path ?? ""));
      const found = validate(CreateBaseModelRequestSchema, request);
      setErrors(errorsByField(creation.source, shown, found));
      if (found.length > 0) {
        return undefined;
      }
      // Sent again as it was, it is the same write: the answer to an import that took too long is then there.
      const body = toJsonString(CreateBaseModelRequestSchema, request);
      if (sent.current.body !== body) {
        sent.current = { body, requestId: newName() };
      }
      try {
        const named = { ...request, requestId: sent.current.requestId };
        const answer = await tunesmith.registry.createBaseModel(named, { timeoutMs: TIMEOUT_MS });
        return answer.baseModel;
      } catch (error) {
        const { violations } = toTunesmithError(error);
        if (violations.length === 0) {
          throw error;
        }
        setErrors(errorsByField(creation.source, shown, violations));
        return undefined;
      }
    },
    onSuccess: (model) => {
      if (model) {
        void client.invalidateQueries({ queryKey: ["models"] });
        onAdded(model);
      } else {
        // After the errors are drawn.
        setTimeout(() => dialog.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus());
      }
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!adding.isPending) {
      adding.mutate();
    }
  };
  const text = (path: string, key: Exclude<keyof Creation, "source" | "stage" | "private">, label: string, help: string, sample = "") => (
    <Field label={label} help={help} errors={errors.get(path)}>
      {(tied) => (
        <input
          {...tied}
          className="input"
          data-path={path}
          value={creation[key]}
          placeholder={sample}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          onChange={(event) => setCreation({ ...creation, [key]: event.target.value })}
        />
      )}
    </Field>
  );
  const { source } = creation;
  const sources = SOURCES.filter(([one]) => one !== "artifact" || artifactId);
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <form className="stack" onSubmit={submit} noValidate>
        <h2 id={title}>{artifactId ? "Add what a job made" : "Add a model"}</h2>
        <fieldset className="sources">
          <legend>Where it is</legend>
          {sources.map(([one, name]) => (
            <label key={one} className="choice">
              <input
                type="radio"
                name="source"
                checked={source === one}
                onChange={() => {
                  setErrors(new Map());
                  setCreation({ ...creation, source: one });
                }}
              />
              {name}
            </label>
          ))}
        </fieldset>
        {source === "hub" && (
          <>
            {text("hub.repo", "repo", "Hub name", "Workers download it when the first job needs it.", "organisation/model")}
            {text("hub.revision", "revision", "Revision", "A branch, tag or commit; empty means main.")}
            <label className="choice">
              <input
                type="checkbox"
                checked={creation.private}
                onChange={(event) => setCreation({ ...creation, private: event.target.checked })}
              />
              Its repository asks for a credential
            </label>
            {creation.private &&
              text(
                "hub.credential_id",
                "credentialId",
                "Credential",
                "The environment variable of the server that holds the token. Never the token itself.",
                "HF_TOKEN",
              )}
          </>
        )}
        {source === "folder" &&
          text("local_folder", "folder", "Folder", "A whole path on the server, below an import root.", "/srv/models/my-model")}
        {source === "artifact" && text("artifact_id", "artifactId", "Artifact", "Any file of the model; its whole set is taken.")}
        {source !== "hub" && text("hub_repo", "hubRepo", "Name to list it under", "May be empty.", "organisation/model")}
        {text("display_name", "displayName", "Display name", "What people call it; empty means the last part of its name.")}
        {text("license", "license", "Licence", "As its publisher names it; empty means what the hub says.")}
        <Field label="Stage" help="How far along the model is." errors={errors.get("stage")}>
          {(tied) => (
            <select
              {...tied}
              className="input"
              data-path="stage"
              value={creation.stage}
              onChange={(event) => setCreation({ ...creation, stage: Number(event.target.value) as Stage })}
            >
              <option value={Stage.UNSPECIFIED}>As the server takes it</option>
              {enumChoices(StageSchema).map(({ value, word }) => (
                <option key={value} value={value}>
                  {word}
                </option>
              ))}
            </select>
          )}
        </Field>
        {adding.error && <ErrorNotice error={adding.error} />}
        <div className="row">
          <Button type="submit" look="primary" aria-disabled={adding.isPending}>
            {adding.isPending ? "Adding…" : "Add"}
          </Button>
          <Button onClick={() => dialog.current?.close()}>Cancel</Button>
          <CopyAs commands={() => createBaseModelCommands(tunesmith.baseUrl, requestOf(creation))} />
        </div>
      </form>
    </dialog>
  );
}

/** A name for one write. crypto.randomUUID is missing on pages that came over plain HTTP from another machine. */
function newName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
