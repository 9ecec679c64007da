import type { JobConfiguration, MemoryEstimate, Report } from "@tunesmith/sdk";
import { Button } from "../../ui/Button.js";
import { bytes, count, shortCount } from "../../ui/words.js";
import { Figures } from "./Figures.js";
import { MemoryPicture } from "./MemoryPicture.js";
import { Ranking } from "./Ranking.js";
import type { Preflight } from "./useReport.js";
import { basisWord, confidenceWord } from "./words.js";

interface NeedsProps {
  preflight: Preflight;
  report: Report;
  provider: string;
  configuration: JobConfiguration;
}

/** What the job needs and what it costs. Loaded with the first report that knows. */
export default function Needs({ preflight, report, provider, configuration }: NeedsProps) {
  const { memory } = report;
  const { current, traced, asking, trace } = preflight;
  return (
    <section className="panel needs" aria-label="What it needs" data-old={!current || undefined}>
      <h2>What it needs</h2>
      {memory && <MemoryPicture memory={memory} />}
      <Figures report={report} />
      {memory && <Trust memory={memory} />}
      <div className="row">
        <Button aria-disabled={asking} onClick={() => !asking && trace()}>
          {asking && traced ? "Tracing…" : current && traced ? "Checked by tracing" : "Check by tracing"}
        </Button>
      </div>
      <Ranking configuration={configuration} provider={provider} />
    </section>
  );
}

/** Why the figures may be believed, and how far. */
function Trust({ memory }: { memory: MemoryEstimate }) {
  const { confidence, basis, remarks, parameterCount, trainableParameterCount, closedFormPeakBytes } = memory;
  const share = parameterCount > 0n ? (100 * Number(trainableParameterCount)) / Number(parameterCount) : 0;
  return (
    <div className="needs-trust">
      <p>
        <strong>{confidenceWord(confidence)}:</strong> {basisWord(basis)}.
        {closedFormPeakBytes !== undefined && ` Formulas say ${bytes(closedFormPeakBytes)}.`}
      </p>
      {parameterCount > 0n && (
        <p className="soft" title={`${count(trainableParameterCount)} of ${count(parameterCount)}`}>
          Trains {shortCount(trainableParameterCount)} of {shortCount(parameterCount)} parameters ({share.toPrecision(2)} %).
        </p>
      )}
      {remarks.length > 0 && (
        <details>
          <summary>What was assumed</summary>
          <ul>
            {remarks.map((remark) => (
              <li key={remark}>{remark}</li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}
