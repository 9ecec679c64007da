import { isTerminal, type Job } from "@tunesmith/sdk";
import { type ArtifactSet, isExportable, isResult, kindWord } from "../../monitor/artifactSets.js";
import { ErrorNotice } from "../../ui/ErrorNotice.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { bytes, count } from "../../ui/words.js";
import { Copyable } from "./Copyable.js";
import { ExportButton } from "./ExportDialog.js";
import type { useArtifacts } from "./useArtifacts.js";

const HASH_LETTERS = 10;

/** What a job made, set by set. */
export function Artifacts({ job, artifacts: { sets, error, retry } }: { job: Job; artifacts: ReturnType<typeof useArtifacts> }) {
  return (
    <section className="panel stack job-section" id="artifacts">
      <h2>Artifacts</h2>
      {error !== null && error !== undefined && <ErrorNotice error={error} onRetry={retry} />}
      {sets?.length === 0 && (
        <p className="soft">
          {isTerminal(job.state)
            ? "It made none."
            : "None yet. A set is listed once every file of it is stored and its SHA-256 was checked."}
        </p>
      )}
      {sets?.map((set) => (
        <SetOfFiles key={set.id} set={set} />
      ))}
    </section>
  );
}

function SetOfFiles({ set }: { set: ArtifactSet }) {
  const { artifactUrl, artifactSetUrl } = useTunesmith();
  const { name, kind, step, sizeBytes, files } = set;
  return (
    <div className="job-set">
      <div className="job-set-head">
        <div>
          <h3>{name}</h3>
          <p className="soft">
            {[
              kindWord(kind),
              `step ${count(step)}`,
              `${count(files.length)} ${files.length === 1 ? "file" : "files"}`,
              bytes(sizeBytes),
            ].join(" · ")}
          </p>
        </div>
        <div className="row">
          {isExportable(set) && <ExportButton set={set} />}
          <a className={`button ${isResult(set) ? "button-primary" : ""}`} href={artifactSetUrl(files[0]!.id)} download>
            Download {isResult(set) ? kindWord(kind) : name}
          </a>
        </div>
      </div>
      <details open={isResult(set)}>
        <summary>Files</summary>
        <div className="job-scroll" tabIndex={0} role="group" aria-label={`Files of ${name}`}>
          <table className="job-table">
            <thead>
              <tr>
                <th scope="col">File</th>
                <th scope="col" className="job-number">
                  Size
                </th>
                <th scope="col">SHA-256</th>
              </tr>
            </thead>
            <tbody>
              {files.map((file) => (
                <tr key={file.id}>
                  <th scope="row">
                    <a href={artifactUrl(file)} download>
                      {file.path.slice(name.length + 1) || file.path}
                    </a>
                  </th>
                  <td className="job-number">{bytes(file.sizeBytes)}</td>
                  <td>
                    <Copyable
                      text={file.sha256}
                      short={`${file.sha256.slice(0, HASH_LETTERS)}…`}
                      name={`SHA-256 of ${file.path}`}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </div>
  );
}
