import { useState } from "react";
import type { Span } from "../charts/downsampling.js";
import { LineChart } from "../charts/LineChart.js";
import { chartPlans } from "./chartPlan.js";
import type { JobModel } from "./JobModel.js";

interface ChartsProps {
  model: JobModel;
  version: number;
  /** Only the chart that is looked at most. */
  compact?: boolean;
  /** What charts share their cursor with. */
  syncKey: string;
}

/** All curves of a job over the same steps: a zoom into one is a zoom into all. */
export function Charts({ model, version, compact, syncKey }: ChartsProps) {
  const [zoom, setZoom] = useState<Span>();
  const plans = chartPlans(model.series).filter(({ first }) => first || !compact);
  const firstSteps = [...model.series.values()].flatMap(({ firstStep }) => firstStep ?? []);
  const domain = { from: Math.min(...firstSteps, model.lastStep), to: model.lastStep };
  return (
    <div className="monitor-charts">
      {plans.map(({ title, lines, first, ...plan }) => (
        <div key={lines[0]!.key} className={first && !compact ? "panel monitor-first" : "panel"}>
          <LineChart
            {...plan}
            title={title}
            series={lines.map((line) => ({ ...line, points: model.series.get(line.key)! }))}
            version={version}
            xLabel="step"
            height={compact ? 160 : first ? 280 : 180}
            domain={domain}
            zoom={zoom}
            onZoom={setZoom}
            syncKey={syncKey}
          />
        </div>
      ))}
    </div>
  );
}
