import { expect, test } from "vitest";
import { logSplits, yRange } from "../../src/charts/axes.js";

test.each([
  [2, 5],
  [0.7, 0.9],
  [1e-7, 2e-4],
  [1, 1e6],
  [3, 40],
])("a logarithmic axis from %d to %d has a few lines within it, each greater than the one before", (from, to) => {
  const splits = logSplits(from, to, 5);
  expect(splits.length).toBeGreaterThanOrEqual(2);
  expect(splits.length).toBeLessThanOrEqual(11);
  splits.forEach((split, index) => {
    expect(split).toBeGreaterThan(splits[index - 1] ?? 0);
    expect(split).toBeGreaterThanOrEqual(from * 0.999);
    expect(split).toBeLessThanOrEqual(to * 1.001);
  });
});

test("a range has room around its values, also around a single one, and can be made of none", () => {
  expect(yRange(null, null, "linear", false)).toEqual([0, 1]);
  for (const scale of ["linear", "log"] as const) {
    for (const [lowest, highest] of [
      [5, 5],
      [1, 3],
    ] as const) {
      const [from, to] = yRange(lowest, highest, scale, false);
      expect(from).toBeLessThan(lowest);
      expect(to).toBeGreaterThan(highest);
    }
  }
  expect(yRange(0, 0, "linear", false)).toEqual([-1, 1]);
  expect(yRange(40, 50, "linear", true)[0]).toBe(0);
});
