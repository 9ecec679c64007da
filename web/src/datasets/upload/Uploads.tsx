import { DatasetFormatSchema, type TunesmithError, toTunesmithError } from "@tunesmith/sdk";
import { Link } from "wouter";
import { Button } from "../../ui/Button.js";
import { uploadDatasetCommands } from "../../ui/commands.js";
import { CopyAs } from "../../ui/CopyAs.js";
import { enumChoices } from "../../ui/enumWord.js";
import { Field } from "../../ui/Field.js";
import { Notice } from "../../ui/Notice.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { bytes, count } from "../../ui/words.js";
import type { Upload, UploadQueue } from "./queue.js";

/** The files that were chosen, are on their way, or are over. */
export function Uploads({ queue, uploads }: { queue: UploadQueue; uploads: readonly Upload[] }) {
  const chosen = uploads.filter(({ state }) => state === "chosen").length;
  return (
    <section className="panel uploads" aria-label="Uploads">
      <ul>
        {uploads.map((upload) => (
          <li key={upload.id} data-state={upload.state}>
            <OneUpload upload={upload} queue={queue} />
          </li>
        ))}
      </ul>
      {chosen > 0 && (
        <div className="row">
          <Button look="primary" onClick={() => queue.start()}>
            {chosen === 1 ? "Upload this file" : `Upload ${chosen} files`}
          </Button>
        </div>
      )}
    </section>
  );
}

function OneUpload({ upload, queue }: { upload: Upload; queue: UploadQueue }) {
  const tunesmith = useTunesmith();
  const { id, file, state } = upload;
  const over = state === "stored" || state === "refused";
  const away = over ? "Dismiss" : state === "chosen" ? "Remove" : "Stop";
  return (
    <div className="upload">
      <div className="upload-head">
        <strong className="upload-name">{file.name}</strong>
        <span className="soft">{bytes(file.size)}</span>
        <span className="upload-end row">
          {state === "chosen" && (
            <CopyAs
              commands={() =>
                uploadDatasetCommands(tunesmith.baseUrl, {
                  file: file.name,
                  displayName: upload.displayName.trim(),
                  format: upload.format ? DatasetFormatSchema.value[upload.format]?.name : "",
                })
              }
            />
          )}
          <Button look="plain" aria-label={`${away} ${file.name}`} onClick={() => queue.remove(id)}>
            {away}
          </Button>
        </span>
      </div>
      {state === "chosen" && <Description upload={upload} queue={queue} />}
      {(state === "waiting" || state === "sending" || state === "checking") && <OnItsWay upload={upload} />}
      <div role="status">
        {state === "stored" && upload.dataset && (
          <p>
            Stored as{" "}
            <Link href={`/datasets/${upload.dataset.id}`}>
              {upload.dataset.displayName}, version {upload.dataset.version}
            </Link>
            : {count(upload.dataset.rowCount)} rows.
          </p>
        )}
      </div>
      {state === "refused" && (
        <>
          <Refusal error={upload.error} />
          <div className="row">
            <Button onClick={() => queue.reconsider(id)}>Change and try again</Button>
          </div>
        </>
      )}
    </div>
  );
}

/** What is wrong with the file. The lines speak for themselves; that they are about the request's `data` helps nobody. */
function Refusal({ error }: { error: TunesmithError | undefined }) {
  const known = toTunesmithError(error);
  const lines = known.violations.length > 0 ? known.violations : [{ fieldPath: "data", message: known.message }];
  return (
    <Notice tone="bad">
      <ul>
        {lines.map(({ fieldPath, message }) => (
          <li key={`${fieldPath} ${message}`}>
            {fieldPath !== "data" && <code>{fieldPath}</code>} {message}
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function Description({ upload, queue }: { upload: Upload; queue: UploadQueue }) {
  return (
    <div className="upload-description">
      <Field label="Display name" help="A name that is there already gets a new version.">
        {(tied) => (
          <input
            {...tied}
            className="input"
            value={upload.displayName}
            placeholder={upload.file.name}
            autoComplete="off"
            onChange={(event) => queue.describe(upload.id, { displayName: event.target.value })}
          />
        )}
      </Field>
      <Field label="Format" help="What the rows are.">
        {(tied) => (
          <select
            {...tied}
            className="input"
            value={upload.format}
            onChange={(event) => queue.describe(upload.id, { format: Number(event.target.value) })}
          >
            <option value={0}>Detected from the rows</option>
            {enumChoices(DatasetFormatSchema).map(({ value, word }) => (
              <option key={value} value={value}>
                {word}
              </option>
            ))}
          </select>
        )}
      </Field>
    </div>
  );
}

function OnItsWay({ upload }: { upload: Upload }) {
  const { file, sent, speed, state } = upload;
  const share = file.size === 0 ? 1 : sent / file.size;
  return (
    <div className="upload-way">
      <progress className="progress" aria-label={`Upload of ${file.name}`} max={1} {...(state === "checking" ? {} : { value: share })} />
      <p className="soft">
        {state === "waiting" && "Waits for the file before it"}
        {state === "sending" && `${bytes(sent)} of ${bytes(file.size)} · ${Math.floor(share * 100)} % · ${bytes(speed)}/s`}
        <span role="status">{state === "checking" && "All there; checking every row…"}</span>
      </p>
    </div>
  );
}
