import type { Tone } from "../charts/colours.js";
import type { StepSeries } from "../charts/StepSeries.js";
import { bytes, figure, shortCount } from "../ui/words.js";

/** One chart: which series it has, and how they are shown. */
export interface ChartPlan {
  title: string;
  lines: { key: string; label: string; tone: Tone; smoothable?: boolean }[];
  scaleChoice?: boolean;
  fromZero?: boolean;
  /** The one that is looked at most. */
  first?: boolean;
  format: (value: number) => string;
}

const PLANS: ChartPlan[] = [
  {
    title: "Loss",
    lines: [
      { key: "train_loss", label: "training", tone: "--accent", smoothable: true },
      { key: "eval_loss", label: "evaluation", tone: "--warn" },
    ],
    scaleChoice: true,
    first: true,
    format: figure,
  },
  {
    title: "Learning rate",
    lines: [{ key: "learning_rate", label: "learning rate", tone: "--accent" }],
    scaleChoice: true,
    format: figure,
  },
  { title: "Gradient norm", lines: [{ key: "gradient_norm", label: "gradient norm", tone: "--accent" }], format: figure },
  {
    title: "Tokens a second",
    lines: [{ key: "tokens_per_second", label: "tokens a second", tone: "--accent" }],
    fromZero: true,
    format: shortCount,
  },
  { title: "Memory", lines: [{ key: "memory_bytes", label: "memory", tone: "--accent" }], fromZero: true, format: bytes },
];
// A straight line from the first step to the last; the progress says it in a word.
const WORDS_ONLY = new Set(["epoch"]);

/** The charts for the series that are there, the known ones first; a key that nobody has heard of gets a chart of its own. */
export function chartPlans(series: ReadonlyMap<string, StepSeries>): ChartPlan[] {
  const known = new Set(PLANS.flatMap(({ lines }) => lines.map(({ key }) => key)));
  const planned = PLANS.map((plan) => ({ ...plan, lines: plan.lines.filter(({ key }) => series.has(key)) })).filter(
    ({ lines }) => lines.length > 0,
  );
  const others = [...series.keys()].filter((key) => !known.has(key) && !WORDS_ONLY.has(key)).sort();
  return [
    ...planned,
    ...others.map((key): ChartPlan => ({
      title: title(key),
      lines: [{ key, label: title(key).toLowerCase(), tone: "--accent" }],
      format: figure,
    })),
  ];
}

function title(key: string): string {
  const words = key.replace(/[_./]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
