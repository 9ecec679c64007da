import { describe, expect, test } from "vitest";
import { align } from "../../src/charts/alignment.js";
import { downsample } from "../../src/charts/downsampling.js";
import { Smoothing } from "../../src/charts/smoothing.js";
import { StepSeries } from "../../src/charts/StepSeries.js";
import { randomNumbers } from "../monitor/randomNumbers.js";

function seriesOf(points: [step: number, value: number][]): StepSeries {
  const series = new StepSeries("x");
  points.forEach(([step, value]) => series.put(step, value));
  return series;
}

const columns = (series: StepSeries) => ({
  steps: [...series.steps.subarray(0, series.length)],
  values: [...series.values.subarray(0, series.length)],
});

describe("a series", () => {
  test("is in the order of its steps, each once with its latest value, in whatever order points come", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const random = randomNumbers(seed);
      const known = new Map<number, number>();
      const series = new StepSeries("x");
      for (let count = 0; count < 600; count += 1) {
        // Mostly at the end, at times anywhere.
        const step = random() < 0.8 ? count : Math.floor(random() * 600);
        const value = random() < 0.05 ? Number.NaN : random();
        known.set(step, value);
        series.put(step, value);
      }
      const sorted = [...known].sort(([a], [b]) => a - b);
      expect(columns(series)).toEqual({ steps: sorted.map(([step]) => step), values: sorted.map(([, value]) => value) });
      const finite = sorted.map(([, value]) => value).filter(Number.isFinite);
      expect(series.extremes).toEqual({ lowest: Math.min(...finite), highest: Math.max(...finite) });
    }
  });

  test("changes its revision when a point that was there changes, and not when one is added at the end", () => {
    const series = seriesOf([[1, 5]]);
    const before = series.revision;
    series.put(2, 6);
    series.put(2, 6);
    expect(series.revision).toBe(before);
    series.put(1, 7);
    expect(series.revision).not.toBe(before);
  });

  test("finds the point next to a step", () => {
    const series = seriesOf([
      [0, 1],
      [10, 2],
      [20, 3],
    ]);
    expect([-5, 4, 6, 19, 400].map((step) => series.indexNear(step))).toEqual([0, 0, 1, 2, 2]);
    expect(new StepSeries("none").indexNear(3)).toBe(-1);
  });

  test("takes a million points at its end in much less than a second", () => {
    const series = new StepSeries("x");
    const begin = performance.now();
    for (let step = 0; step < 1_000_000; step += 1) {
      series.put(step, step % 97);
    }
    expect(series.length).toBe(1_000_000);
    // Linear work takes some 20 ms; an append that moved what lies before it would take minutes.
    expect(performance.now() - begin).toBeLessThan(5_000);
  });
});

describe("downsampling", () => {
  test("keeps each pixel's extremes, so every spike, and stays below four points a pixel", () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = randomNumbers(seed);
      const series = new StepSeries("x");
      let step = 0;
      for (let count = 0; count < 20_000; count += 1) {
        step += 1 + Math.floor(random() * 3);
        series.put(step, random() < 0.0005 ? 1000 * random() : random());
      }
      const pixels = 300;
      const span = { from: series.firstStep!, to: series.lastStep! };
      const line = downsample(series, span, pixels, Number.isFinite);
      expect(line.steps.length).toBeLessThanOrEqual(pixels * 4);
      expect(line.steps).toEqual([...line.steps].sort((a, b) => a - b));
      const bucket = (at: number) => Math.floor(((at - span.from) / (span.to - span.from)) * pixels);
      const extremesOf = (steps: Iterable<number>, values: ArrayLike<number | null>) => {
        const found = new Map<number, [number, number]>();
        let index = 0;
        for (const at of steps) {
          const value = values[index]!;
          const [low, high] = found.get(bucket(at)) ?? [Infinity, -Infinity];
          found.set(bucket(at), [Math.min(low, value), Math.max(high, value)]);
          index += 1;
        }
        return found;
      };
      const { steps, values } = columns(series);
      const all = extremesOf(steps, values);
      expect(all.size).toBeGreaterThan(290);
      const kept = extremesOf(line.steps, line.values);
      // Points at a pixel's very border may fall to either side of it by rounding.
      const lost = [...all].filter(([at, [low, high]]) => kept.get(at)?.[0] !== low || kept.get(at)?.[1] !== high);
      expect(lost.length).toBeLessThanOrEqual(2);
      expect(Math.max(...(line.values as number[]))).toBe(series.extremes!.highest);
      expect(Math.min(...(line.values as number[]))).toBe(series.extremes!.lowest);
    }
  });

  test("draws few points as they are, with one more on either side of the span", () => {
    const series = seriesOf([0, 1, 2, 3, 4, 5, 6].map((step) => [step, step * 10]));
    expect(downsample(series, { from: 2, to: 4 }, 100, Number.isFinite)).toEqual({
      steps: [1, 2, 3, 4, 5],
      values: [10, 20, 30, 40, 50],
    });
  });

  test("leaves a gap where a value can't be drawn, among few points and among many", () => {
    const few = seriesOf([
      [1, 1],
      [2, Number.NaN],
      [3, Infinity],
      [4, 2],
    ]);
    expect(downsample(few, { from: 1, to: 4 }, 100, Number.isFinite).values).toEqual([1, null, null, 2]);
    const many = new StepSeries("x");
    for (let step = 0; step < 10_000; step += 1) {
      many.put(step, step === 5_000 ? Number.NaN : 1);
    }
    const line = downsample(many, { from: 0, to: 9_999 }, 50, Number.isFinite);
    expect(line.values.filter((value) => value === null)).toHaveLength(1);
    expect(line.steps[line.values.indexOf(null)]).toBe(5_000);
  });

  test("shows a million points as few", () => {
    const series = new StepSeries("x");
    for (let step = 0; step < 1_000_000; step += 1) {
      series.put(step, Math.sin(step));
    }
    series.put(700_001, 50);
    const line = downsample(series, { from: 0, to: 999_999 }, 1000, Number.isFinite);
    expect(line.steps.length).toBeLessThan(3_100);
    expect(line.values).toContain(50);
  });
});

describe("alignment", () => {
  test("puts lines over one column of steps and reaches gaps to the line's own next points", () => {
    const aligned = align([
      { steps: [1, 2, 3, 4], values: [1, 2, 3, 4] },
      { steps: [0, 2, 4, 6], values: [9, null, 8, 7] },
    ]);
    expect(aligned.steps).toEqual([0, 1, 2, 3, 4, 6]);
    expect(aligned.lines).toEqual([
      [undefined, 1, 2, 3, 4, undefined],
      [9, null, null, null, 8, 7],
    ]);
  });
});

describe("smoothing", () => {
  test("continued point by point is what it is at once, passes over what is no number, and begins at the first value", () => {
    const random = randomNumbers(7);
    const series = new StepSeries("x");
    const continued = new Smoothing();
    for (let step = 0; step < 700; step += 1) {
      series.put(step, step === 300 ? Number.NaN : 3 + random());
      continued.of(series, 0.9);
    }
    const whole = new Smoothing().of(series, 0.9);
    expect(continued.of(series, 0.9).slice(0, 700)).toEqual(whole.slice(0, 700));
    expect(whole[0]).toBe(series.values[0]);
    expect(whole[300]).toBeNaN();
    expect(whole[301]).toBeGreaterThan(3);
    const spread = (values: ArrayLike<number>) =>
      Math.max(...Array.from(values).slice(400, 700)) - Math.min(...Array.from(values).slice(400, 700));
    expect(spread(whole)).toBeLessThan(spread(series.values) / 2);
  });

  test("begins anew when a point that was there is another one now", () => {
    const series = seriesOf([
      [1, 1],
      [2, 1],
    ]);
    const smoothing = new Smoothing();
    smoothing.of(series, 0.5);
    series.put(1, 9);
    expect(smoothing.of(series, 0.5)[0]).toBe(9);
  });
});
