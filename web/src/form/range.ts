import { showNumber } from "./text.js";

/** The numbers a field takes. A bound that is not set does not bind. */
export interface Range {
  min?: number;
  max?: number;
  minExclusive?: boolean;
  maxExclusive?: boolean;
}

/** Whether a range takes a number. */
export function takes(range: Range, value: number): boolean {
  const highEnough = range.min === undefined || (range.minExclusive ? value > range.min : value >= range.min);
  const lowEnough = range.max === undefined || (range.maxExclusive ? value < range.max : value <= range.max);
  return highEnough && lowEnough;
}

/** What both ranges take. */
export function narrow(range: Range | undefined, other: Range | undefined): Range | undefined {
  if (!range || !other) {
    return range ?? other;
  }
  const lower = [range, other]
    .filter((one) => one.min !== undefined)
    .sort((a, b) => b.min! - a.min! || (a.minExclusive ? -1 : 1))[0];
  const upper = [range, other]
    .filter((one) => one.max !== undefined)
    .sort((a, b) => a.max! - b.max! || (a.maxExclusive ? -1 : 1))[0];
  return { min: lower?.min, minExclusive: lower?.minExclusive, max: upper?.max, maxExclusive: upper?.maxExclusive };
}

/** `1 to 256`, `above 0, at most 1`, `at least 1`; empty for a range that takes everything. */
export function rangeText(range: Range | undefined): string {
  if (!range) {
    return "";
  }
  const { min, max } = range;
  if (min !== undefined && max !== undefined && !range.minExclusive && !range.maxExclusive) {
    return `${showNumber(min)} to ${showNumber(max)}`;
  }
  const lower = min === undefined ? "" : `${range.minExclusive ? "above" : "at least"} ${showNumber(min)}`;
  const upper = max === undefined ? "" : `${range.maxExclusive ? "below" : "at most"} ${showNumber(max)}`;
  return [lower, upper].filter(Boolean).join(", ");
}
