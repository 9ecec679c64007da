import type { WeightHistogram } from "@tunesmith/sdk";
import { count, figure } from "../../ui/words.js";

const WIDTH = 640;
/** From one ridge to the next, and how high the highest stands above its own line. */
const PITCH = 26;
const HEIGHT = 46;
const LEFT = 64;
const BOTTOM = 22;

/** Histograms above each other, the latest in front: how a layer's weights move. All share one scale of weights. */
export function Ridges({ histograms }: { histograms: readonly WeightHistogram[] }) {
  const least = Math.min(...histograms.map(({ minimum }) => minimum));
  const greatest = Math.max(...histograms.map(({ maximum }) => maximum));
  const span = greatest - least || 1;
  const x = (weight: number) => LEFT + ((weight - least) / span) * (WIDTH - LEFT);
  const height = HEIGHT + PITCH * (histograms.length - 1) + BOTTOM;
  const highest = Math.max(...histograms.map(density));
  const steps = histograms.map(({ step }) => count(step));
  return (
    <svg
      className="job-ridges"
      viewBox={`0 0 ${WIDTH} ${height}`}
      role="img"
      aria-label={`Weights between ${figure(least)} and ${figure(greatest)} at steps ${steps.join(", ")}`}
    >
      {histograms.map((histogram, index) => {
        const line = HEIGHT + PITCH * index;
        return (
          <g key={String(histogram.step)}>
            <path className="job-ridge" d={ridge(histogram, line, x, highest)} />
            <text className="job-ridge-step" x={LEFT - 8} y={line} textAnchor="end">
              {steps[index]}
            </text>
          </g>
        );
      })}
      <text className="job-ridge-step" x={x(least)} y={height - 4} textAnchor="start">
        {figure(least)}
      </text>
      {least < 0 && greatest > 0 && (
        <text className="job-ridge-step" x={x(0)} y={height - 4} textAnchor="middle">
          0
        </text>
      )}
      <text className="job-ridge-step" x={x(greatest)} y={height - 4} textAnchor="end">
        {figure(greatest)}
      </text>
    </svg>
  );
}

/** The most of a histogram's weights in one bin, for each unit of weight: bins of different widths compare by their area. */
function density({ counts, minimum, maximum }: WeightHistogram): number {
  return Math.max(...counts.map(Number)) / binWidth(minimum, maximum, counts.length);
}

function binWidth(minimum: number, maximum: number, bins: number): number {
  return (maximum - minimum) / bins || Number.EPSILON;
}

function ridge({ counts, minimum, maximum }: WeightHistogram, line: number, x: (weight: number) => number, highest: number): string {
  const width = binWidth(minimum, maximum, counts.length);
  const points = counts.map((each, bin) => {
    const share = Number(each) / width / highest;
    return `L${x(minimum + (bin + 0.5) * width).toFixed(1)},${(line - share * HEIGHT).toFixed(1)}`;
  });
  return `M${x(minimum).toFixed(1)},${line}${points.join("")}L${x(maximum).toFixed(1)},${line}Z`;
}
