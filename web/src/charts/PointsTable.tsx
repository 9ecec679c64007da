import { useState } from "react";
import { count } from "../ui/words.js";
import type { ChartSeries } from "./LineChart.js";

const ROWS = 100;

/** The last points of a chart in words and numbers, for whom a picture says nothing. */
export function PointsTable({
  title,
  xLabel,
  series,
  format,
}: {
  title: string;
  xLabel: string;
  series: ChartSeries[];
  format: (value: number) => string;
}) {
  const [open, setOpen] = useState(false);
  return (
    <details className="chart-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Show as table</summary>
      {/* Made when somebody looks: a table that nobody sees would be made anew with every point. */}
      {open && (
        <div className="chart-table-scroll" tabIndex={0} role="group" aria-label={`${title}, the last ${ROWS} points`}>
          <table>
            <thead>
              <tr>
                <th scope="col">{xLabel}</th>
                {series.map(({ key, label }) => (
                  <th key={key} scope="col">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {lastSteps(series).map((step) => (
                <tr key={step}>
                  <th scope="row">{count(step)}</th>
                  {series.map(({ key, points }) => {
                    const value = points.valueAt(step);
                    return <td key={key}>{value === undefined ? "" : format(value)}</td>;
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

function lastSteps(series: ChartSeries[]): number[] {
  const steps = new Set<number>();
  for (const { points } of series) {
    for (let index = Math.max(0, points.length - ROWS); index < points.length; index += 1) {
      steps.add(points.steps[index]!);
    }
  }
  return [...steps].sort((a, b) => b - a).slice(0, ROWS);
}
