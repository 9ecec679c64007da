import { isTerminal, type Job, type WeightHistogram } from "@tunesmith/sdk";
import { useState } from "react";
import { ErrorNotice } from "../../ui/ErrorNotice.js";
import { Field } from "../../ui/Field.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { useEveryPage } from "../../ui/useEveryPage.js";
import { count, figure } from "../../ui/words.js";
import { Ridges } from "./Ridges.js";

const PAGE = 1000;
/** How often the histograms of a job that runs are asked for again. */
const EVERY_MS = 5_000;

/** How the trained weights of a layer are distributed, step by step. Many figures for few readers: asked for when it is opened. */
export function Weights({ job }: { job: Job }) {
  const [open, setOpen] = useState(false);
  return (
    <section className="panel job-section" id="weights">
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <h2>Weights</h2>
        </summary>
        <div className="stack">{open && <Histograms job={job} />}</div>
      </details>
    </section>
  );
}

function Histograms({ job }: { job: Job }) {
  const { jobs } = useTunesmith();
  const running = !isTerminal(job.state);
  const { items, whole, error, refetch } = useEveryPage(
    ["job", job.id, "histograms"],
    async (pageToken, signal) => {
      const page = await jobs.listJobHistograms({ jobId: job.id, pageSize: PAGE, pageToken }, { signal });
      return { items: page.histograms, nextPageToken: page.nextPageToken };
    },
    { moves: () => running, everyMs: EVERY_MS },
  );
  const layers = [...new Set(items.map(({ layer }) => layer))].sort(byName);
  const [chosen, setChosen] = useState("");
  const layer = layers.includes(chosen) ? chosen : layers[0];
  if (error) {
    return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  }
  if (layer === undefined) {
    return <p className="soft">{sayNone(whole, running)}</p>;
  }
  const shown = items.filter((each) => each.layer === layer);
  return (
    <>
      <p className="soft">
        Histograms of what is trained, taken as often as <code>schedule.histograms</code> says.
      </p>
      <Field label="Layer">
        {(tied) => (
          <select {...tied} className="input" value={layer} onChange={(event) => setChosen(event.target.value)}>
            {layers.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </Field>
      <Ridges histograms={shown} />
      <details>
        <summary>As figures</summary>
        <div className="job-scroll" tabIndex={0} role="group" aria-label={`Weights of ${layer}`}>
          <Figures histograms={shown} />
        </div>
      </details>
    </>
  );
}

function Figures({ histograms }: { histograms: WeightHistogram[] }) {
  return (
    <table className="job-table">
      <thead>
        <tr>
          {["Step", "Norm", "Mean", "Standard deviation", "Least", "Greatest"].map((name) => (
            <th key={name} scope="col" className="job-number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {histograms.map(({ step, norm, mean, standardDeviation, minimum, maximum }) => (
          <tr key={String(step)}>
            <th scope="row" className="job-number">
              {count(step)}
            </th>
            {[norm, mean, standardDeviation, minimum, maximum].map((value, index) => (
              <td key={index} className="job-number">
                {figure(value)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function sayNone(whole: boolean, running: boolean): string {
  if (!whole) {
    return "Reading the histograms…";
  }
  return running ? "The first histograms come with the first step." : "It took no histograms.";
}

/** `layers.2` before `layers.10`. */
function byName(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
