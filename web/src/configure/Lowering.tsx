import { type FieldLowering, LoweringAction, LoweringActionSchema } from "@tunesmith/sdk";
import { fieldsOf, type Part } from "../form/describe.js";
import { placeOf } from "../form/judge.js";

const TONES: Partial<Record<LoweringAction, string>> = {
  [LoweringAction.SENT]: "badge-good",
  [LoweringAction.CONVERTED]: "badge-busy",
  [LoweringAction.DROPPED]: "badge-warn",
  [LoweringAction.REFUSED]: "badge-bad",
};

interface LoweringProps {
  /** None of a configuration that breaks its own rules. */
  lowering: readonly FieldLowering[];
  providerName: string;
  parts: readonly Part[];
}

/** What a provider makes of each field that is set. */
export function Lowering({ lowering, providerName, parts }: LoweringProps) {
  const fields = fieldsOf(parts);
  const labels = new Map(fields.map((field) => [field.path, field.label]));
  const known = new Set(labels.keys());
  return (
    <details className="panel lowering">
      <summary className="section-head">
        <h2>What becomes of each field</h2>
        <span className="section-line">{lowering.length > 0 ? countsOf(lowering) : "Known once the form is complete"}</span>
      </summary>
      <div className="section-body">
        {lowering.length === 0 && (
          <p className="soft">Once the form is complete, here stands what {providerName} makes of each field.</p>
        )}
        {lowering.length > 0 && (
          <table className="lowering-table">
            <thead>
              <tr>
                <th scope="col">Field</th>
                <th scope="col">On its way</th>
                <th scope="col">What {providerName} gets</th>
              </tr>
            </thead>
            <tbody>
              {lowering.map(({ fieldPath, action, detail }) => (
                <tr key={`${fieldPath} ${detail}`}>
                  <th scope="row" title={fieldPath}>
                    {labels.get(placeOf(fieldPath, known)) ?? fieldPath}
                  </th>
                  <td>
                    <span className={`badge ${TONES[action] ?? ""}`}>{word(action)}</span>
                  </td>
                  <td>{detail}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </details>
  );
}

function countsOf(lowering: readonly FieldLowering[]): string {
  const counts = new Map<string, number>();
  for (const { action } of lowering) {
    counts.set(word(action), (counts.get(word(action)) ?? 0) + 1);
  }
  return [...counts].map(([action, count]) => `${count} ${action}`).join(", ");
}

function word(action: LoweringAction): string {
  return LoweringActionSchema.value[action]?.localName.toLowerCase() ?? String(action);
}
