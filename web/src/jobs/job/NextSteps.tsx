import { ArtifactKind, type Job } from "@tunesmith/sdk";
import { type ArtifactSet, isExportable, isResult, kindWord } from "../../monitor/artifactSets.js";
import { DownloadResult } from "../../monitor/DownloadResult.js";
import { downloadJobCommands } from "../../ui/commands.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { ExportButton } from "./ExportDialog.js";
import { loadingCode } from "./loadingCode.js";
import { RegisterAdapter } from "./RegisterAdapter.js";

const FOLDER = "out";

/** What comes after a job that succeeded: take its result, and load it. */
export function NextSteps({ job, sets }: { job: Job; sets: ArtifactSet[] }) {
  const { baseUrl } = useTunesmith();
  const result = sets.find(isResult);
  if (!result) {
    return null;
  }
  const commands = downloadJobCommands(baseUrl, job.id, result.files[0]!.id);
  return (
    <section className="panel stack job-next" aria-label="What comes next">
      <div className="job-set-head">
        <div>
          <h2>It is done</h2>
          <p className="soft">
            Take the {kindWord(result.kind)} as one archive, or by a command that checks every file's SHA-256.
          </p>
        </div>
        <div className="row">
          {result.kind === ArtifactKind.ADAPTER && <RegisterAdapter artifactId={result.files[0]!.id} />}
          {isExportable(result) && <ExportButton set={result} />}
          <DownloadResult result={result} />
        </div>
      </div>
      <pre className="code" tabIndex={0}>
        {`${commands.cli} --to ${FOLDER}`}
      </pre>
      <details>
        <summary>Load it</summary>
        <pre className="code job-submitted" tabIndex={0}>
          {loadingCode(job, result, FOLDER)}
        </pre>
      </details>
    </section>
  );
}
