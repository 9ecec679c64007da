import type { Job, JobFigures } from "@tunesmith/sdk";
import { bytes, count, duration, figure, stepTime } from "../../ui/words.js";

type Key =
  "peakMemoryBytes" | "stepSeconds" | "tokensPerSecond" | "durationSeconds" | "firstEvaluationLoss" | "lastEvaluationLoss";

const ROWS: [key: Key, name: string, format: (value: number) => string][] = [
  ["peakMemoryBytes", "Peak memory", bytes],
  ["stepSeconds", "Step time", stepTime],
  ["tokensPerSecond", "Tokens a second", (value) => count(Math.round(value))],
  ["durationSeconds", "Duration", duration],
  ["firstEvaluationLoss", "Evaluation loss before", figure],
  ["lastEvaluationLoss", "Evaluation loss after", figure],
];

/** What was expected beside what was measured, where there are both. */
export function Expectations({ job: { predicted, measured } }: { job: Job }) {
  const rows = ROWS.flatMap(([key, name, format]) => {
    const [expected, seen] = [numberOf(predicted, key), numberOf(measured, key)];
    return expected === undefined || seen === undefined ? [] : [{ key, name, expected, seen, format }];
  });
  if (rows.length === 0) {
    return null;
  }
  return (
    <section className="panel stack job-section" aria-label="Expected and measured">
      <h2>Expected and measured</h2>
      <table className="job-table">
        <thead>
          <tr>
            <th scope="col">Figure</th>
            <th scope="col" className="job-number">
              Expected
            </th>
            <th scope="col" className="job-number">
              Measured
            </th>
            <th scope="col" className="job-number">
              Difference
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, name, expected, seen, format }) => (
            <tr key={key}>
              <th scope="row">{name}</th>
              <td className="job-number">{format(expected)}</td>
              <td className="job-number">{format(seen)}</td>
              <td className="job-number">{expected === 0 ? "" : difference(seen / expected - 1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function numberOf(figures: JobFigures | undefined, key: Key): number | undefined {
  const value = figures?.[key];
  return value === undefined ? undefined : Number(value);
}

function difference(share: number): string {
  const percent = Math.round(share * 100);
  return `${percent > 0 ? "+" : percent < 0 ? "−" : "±"}${Math.abs(percent)} %`;
}
