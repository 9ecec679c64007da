import type { Job } from "@tunesmith/sdk";
import { bytes, count, figure, stepTime } from "../ui/words.js";
import type { JobModel } from "./JobModel.js";

/** One number of a job, and whether it was measured or only estimated. */
export interface Figure {
  key: string;
  name: string;
  value: string | undefined;
  source: "measured" | "estimated" | "";
  /** What else belongs to it: its step, or what was expected. */
  note: string;
}

interface Found {
  measured: number | undefined;
  estimated: number | undefined;
  format: (value: number) => string;
}

/** The figures a person asks for first. */
export function figuresOf(model: JobModel): Figure[] {
  const { job, series } = model;
  const [loss, evaluation, tokens, memory] = ["train_loss", "eval_loss", "tokens_per_second", "memory_bytes"].map((key) =>
    series.get(key),
  );
  const { measured, predicted } = job ?? {};
  const rows: Figure[] = [
    {
      key: "latest-loss",
      name: "Training loss",
      value: loss?.lastValue === undefined ? undefined : figure(loss.lastValue),
      source: loss?.lastValue === undefined ? "" : "measured",
      note: loss?.lastStep === undefined ? "" : `step ${count(loss.lastStep)}`,
    },
  ];
  const first = measured?.firstEvaluationLoss ?? evaluation?.firstValue;
  const last = measured?.lastEvaluationLoss ?? evaluation?.lastValue;
  if (first !== undefined && last !== undefined) {
    const value = evaluation?.length === 1 ? figure(first) : `${figure(first)} → ${figure(last)}`;
    const percent = (last / first - 1) * 100;
    const change = Math.abs(percent) < 0.05 ? "unchanged" : `${percent.toFixed(1).replace("-", "−")} %`;
    const better = first === 0 || evaluation?.length === 1 ? "" : change;
    rows.push({ key: "evaluation-loss", name: "Evaluation loss", value, source: "measured", note: better });
  }
  const rest: [key: string, name: string, found: Found][] = [
    [
      "tokens",
      "Tokens a second",
      {
        measured: measured?.tokensPerSecond ?? tokens?.lastValue,
        estimated: predicted?.tokensPerSecond,
        format: (value) => count(Math.round(value)),
      },
    ],
    [
      "step-time",
      "Step time",
      {
        measured: measured?.stepSeconds,
        estimated: (job && stepSecondsFromRemaining(job)) ?? predicted?.stepSeconds,
        format: stepTime,
      },
    ],
    [
      "memory",
      "Peak memory",
      {
        measured: numberOf(measured?.peakMemoryBytes) ?? memory?.extremes?.highest,
        estimated: numberOf(predicted?.peakMemoryBytes),
        format: bytes,
      },
    ],
  ];
  return [...rows, ...rest.map(([key, name, found]) => oneOf(key, name, found))];
}

function oneOf(key: string, name: string, { measured, estimated, format }: Found): Figure {
  if (measured !== undefined) {
    return {
      key,
      name,
      value: format(measured),
      source: "measured",
      note: estimated === undefined ? "" : `expected ${format(estimated)}`,
    };
  }
  return {
    key,
    name,
    value: estimated === undefined ? undefined : format(estimated),
    source: estimated === undefined ? "" : "estimated",
    note: "",
  };
}

/** What one step takes, by the worker's own estimate of the time that is left. */
function stepSecondsFromRemaining({ estimatedRemainingSeconds, step, totalSteps }: Job): number | undefined {
  const left = step === undefined || totalSteps === undefined ? 0 : Number(totalSteps - step);
  return estimatedRemainingSeconds && left > 0 ? estimatedRemainingSeconds / left : undefined;
}

function numberOf(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** `0.9 %`, `42 %`: never more than what is done. */
export function percent(share: number): string {
  return share > 0 && share < 0.1 ? `${(Math.floor(share * 1000) / 10).toFixed(1)} %` : `${Math.floor(share * 100)} %`;
}
