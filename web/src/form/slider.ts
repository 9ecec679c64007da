// A slider runs from 0 to 1. Its stops are the values people would write: 1, 2, 3, 5, … on a rate, doublings on a batch.
import { Scale } from "@tunesmith/sdk/gen/tunesmith/options/v1/field";
import type { FieldDescription } from "./describe.js";

/** The track of a field with both ends. */
export interface Track {
  /** First and last value. An end that the range leaves out is replaced by the nearest sensible value inside. */
  min: number;
  max: number;
  scale: Scale;
  /** Values that dragging and keys go to, rising, with both ends. */
  stops: readonly number[];
}

const MANTISSAS = [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
const MOST_STOPS = 200;

/** The track of a field; only fields with both ends have one. */
export function trackOf(field: Pick<FieldDescription, "range" | "scale" | "type" | "recommended" | "default">): Track {
  const range = field.range!;
  const whole = field.type === "integer";
  const min = lowEnd(field);
  const max = range.maxExclusive ? range.max! - niceStep(range.max! - min, whole) : range.max!;
  const scale = field.scale;
  const inner =
    scale === Scale.LINEAR ? linearStops(min, max, whole) : scale === Scale.LOG2 ? doublings(min, max) : decades(min, max);
  // Where the marks are, a hand that drags has to be able to stop.
  const marks = [field.default as number | undefined, field.recommended?.min, field.recommended?.max].filter(
    (mark) => mark !== undefined,
  );
  const rounded = [...inner, ...marks].map((value) => (whole ? Math.round(value) : tidy(value)));
  const stops = new Set([min, ...rounded.filter((value) => value > min && value < max), max]);
  return { min, max, scale, stops: [...stops].sort((one, other) => one - other) };
}

/** Where a value stands on a track, 0 to 1; one beyond an end stands at it. */
export function positionOf(track: Track, value: number): number {
  const { min, max } = track;
  if (!(value > min)) {
    return 0;
  }
  if (value >= max) {
    return 1;
  }
  return track.scale === Scale.LINEAR ? (value - min) / (max - min) : Math.log(value / min) / Math.log(max / min);
}

/** The stop nearest to a position. */
export function valueAt(track: Track, position: number): number {
  let best = track.min;
  for (const stop of track.stops) {
    if (Math.abs(positionOf(track, stop) - position) < Math.abs(positionOf(track, best) - position)) {
      best = stop;
    }
  }
  return best;
}

/** The stop so many further than a value; from between two stops, the next one counts. */
export function step(track: Track, value: number, by: number): number {
  const { stops } = track;
  const above = stops.findIndex((stop) => stop > value);
  const next = above < 0 ? stops.length : above;
  const onStop = stops[next - 1] === value;
  const index = by > 0 ? next - 1 + by : next - (onStop ? 1 : 0) + by;
  return stops[Math.min(stops.length - 1, Math.max(0, index))]!;
}

/** What a key does to a value; undefined for a key that means nothing here. */
export function keyed(track: Track, value: number, key: string): number | undefined {
  const page = Math.max(2, Math.round(track.stops.length / 10));
  const steps: Record<string, number> = {
    ArrowRight: 1,
    ArrowUp: 1,
    ArrowLeft: -1,
    ArrowDown: -1,
    PageUp: page,
    PageDown: -page,
  };
  if (key === "Home" || key === "End") {
    return key === "Home" ? track.min : track.max;
  }
  const by = steps[key];
  return by === undefined ? undefined : step(track, value, by);
}

function lowEnd({ range, scale, type, recommended, default: preset }: Parameters<typeof trackOf>[0]): number {
  const min = range!.min!;
  if (scale !== Scale.LINEAR && min <= 0) {
    // A logarithm has no zero: two decades below what anybody would recommend.
    const small = Math.min(
      ...([recommended?.min, preset as number | undefined, range!.max].filter((one) => one !== undefined && one > 0) as number[]),
    );
    return type === "integer" ? 1 : 10 ** (Math.floor(Math.log10(small) + 1e-9) - 2);
  }
  return range!.minExclusive ? min + niceStep(range!.max! - min, type === "integer") : min;
}

function linearStops(min: number, max: number, whole: boolean): number[] {
  const by = niceStep(max - min, whole);
  const first = Math.ceil(min / by - 1e-9);
  const count = Math.floor(max / by + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, index) => (first + index) * by);
}

/** 1, 2 or 5 times a power of ten, so that there are a hundred steps or so; 1 for whole numbers while that is not too many. */
function niceStep(span: number, whole: boolean): number {
  if (whole && span <= MOST_STOPS) {
    return 1;
  }
  const decade = 10 ** Math.floor(Math.log10(span / 100) + 1e-9);
  const multiple = [1, 2, 5].find((one) => span / (one * decade) <= 100 + 1e-9) ?? 10;
  return multiple * decade;
}

function doublings(min: number, max: number): number[] {
  const stops: number[] = [];
  for (let power = 2 ** Math.floor(Math.log2(min)); power <= max; power *= 2) {
    stops.push(power, power * 1.5);
  }
  return stops;
}

function decades(min: number, max: number): number[] {
  const stops: number[] = [];
  for (let exponent = Math.floor(Math.log10(min) + 1e-9); 10 ** exponent <= max; exponent += 1) {
    stops.push(...MANTISSAS.map((mantissa) => Number(`${mantissa}e${exponent}`)));
  }
  return stops;
}

/** 0.30000000000000004 as people write it. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}
