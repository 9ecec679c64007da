import type { Span } from "./downsampling.js";

/** What a y axis counts by. */
export type YScale = "linear" | "log";

const MARGIN = 0.06;
// 1, 2, 5, 10, 20, …: half a step means nothing.
export const STEP_INCREMENTS = Array.from({ length: 36 }, (_, index) => [1, 2, 5][index % 3]! * 10 ** Math.floor(index / 3));

/** The y axis for values between two: some room around them, and around a flat line as much as lets it be read. */
export function yRange(lowest: number | null, highest: number | null, scale: YScale, fromZero: boolean): [number, number] {
  if (lowest === null || highest === null || !Number.isFinite(lowest) || !Number.isFinite(highest)) {
    return scale === "log" ? [0.1, 1] : [0, 1];
  }
  if (scale === "log") {
    const room = Math.max((highest / lowest) ** MARGIN, 1.02);
    return [lowest / room, highest * room];
  }
  const bottom = fromZero ? Math.min(0, lowest) : lowest;
  const room = (highest - bottom) * MARGIN || Math.abs(highest) * MARGIN || 1;
  return [bottom === 0 && fromZero ? 0 : bottom - room, highest + room];
}

/** Where the lines of a logarithmic axis go: at round numbers of each magnitude, or evenly where it spans less than one. */
export function logSplits(from: number, to: number, wanted: number): number[] {
  const decades = Math.log10(to / from);
  const splits: number[] = [];
  if (decades < 1) {
    const raw = (to - from) / Math.max(wanted, 1);
    const magnitude = 10 ** Math.floor(Math.log10(raw));
    const step = ([1, 2, 5].find((each) => each * magnitude >= raw) ?? 10) * magnitude;
    for (let count = Math.ceil(from / step); count * step <= to; count += 1) {
      splits.push(count * step);
    }
    return splits;
  }
  const parts = decades < 2 && wanted >= 4 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / Math.max(wanted, 1)));
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power += every) {
    splits.push(...parts.map((part) => part * 10 ** power).filter((value) => value >= from && value <= to));
  }
  return splits;
}

/** A span with some width. */
export function wide({ from, to }: Span): Span {
  return to > from ? { from, to } : { from: from - 0.5, to: from + 0.5 };
}
