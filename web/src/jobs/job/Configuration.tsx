import { type FieldLowering, type Job, LoweringAction, LoweringActionSchema } from "@tunesmith/sdk";
import { useMemo } from "react";
import { configurationSections, submittedConfiguration } from "./configurationRows.js";

const TONES: Partial<Record<LoweringAction, string>> = {
  [LoweringAction.SENT]: "badge-good",
  [LoweringAction.CONVERTED]: "badge-busy",
  [LoweringAction.DROPPED]: "badge-warn",
  [LoweringAction.REFUSED]: "badge-bad",
};

/** What runs, field by field: what was defaulted, and what the provider makes of each field that was set. */
export function Configuration({ job }: { job: Job }) {
  const { id, provider } = job;
  // A job's configuration and what became of it never change.
  const sections = useMemo(() => configurationSections(job), [id]);
  return (
    <section className="panel stack job-section" id="configuration">
      <h2>Configuration</h2>
      <p className="soft">
        As it runs. What was not set got its <span className="job-default">default</span> when the job was created. Beside each
        field: what <code>{provider}</code> makes of it.
      </p>
      {sections.map(({ name, rows }) => (
        <table key={name} className="job-table job-configuration">
          <caption>{name.replaceAll("_", " ")}</caption>
          <colgroup>
            <col className="job-field" />
            <col />
            <col className="job-made" />
          </colgroup>
          <thead>
            <tr>
              <th scope="col">Field</th>
              <th scope="col">Value</th>
              <th scope="col">On {provider}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ path, value, defaulted, lowering }) => (
              <tr key={path}>
                <th scope="row">
                  <code>{path}</code>
                </th>
                <td>
                  {value !== undefined && <code className="job-value">{value}</code>}{" "}
                  {defaulted && <span className="job-default">default</span>}
                </td>
                <td>
                  {lowering.map((each) => (
                    <Lowering key={each.fieldPath} lowering={each} />
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ))}
      <details>
        <summary>As submitted</summary>
        <pre className="code job-submitted" tabIndex={0}>
          {submittedConfiguration(job)}
        </pre>
      </details>
    </section>
  );
}

function Lowering({ lowering: { action, detail } }: { lowering: FieldLowering }) {
  return (
    <div className="job-lowering">
      <span className={`badge ${TONES[action] ?? ""}`}>{LoweringActionSchema.value[action]?.localName ?? String(action)}</span>
      {detail && <span className="soft">{detail}</span>}
    </div>
  );
}
