import { figuresOf } from "./figures.js";
import type { JobModel } from "./JobModel.js";

/** A job's numbers, each with where it comes from. */
export function Figures({ model, compact }: { model: JobModel; compact?: boolean }) {
  const figures = figuresOf(model);
  const missing = model.job?.endTime ? "not measured" : "not yet";
  return (
    <dl className="monitor-figures">
      {(compact ? figures.slice(0, 3) : figures).map(({ key, name, value, source, note }) => (
        <div key={key}>
          <dt>{name}</dt>
          <dd>
            <strong data-testid={key}>{value ?? "–"}</strong>
            <span className="soft">{[source || missing, note].filter(Boolean).join(" · ")}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}
