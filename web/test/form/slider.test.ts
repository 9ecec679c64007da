// @vitest-environment node
import { describe, expect, test } from "vitest";
import { fieldsOf } from "../../src/form/describe.js";
import { keyed, positionOf, step, trackOf, valueAt } from "../../src/form/slider.js";
import { fieldAt, PARTS } from "./knobs.js";

const SLIDERS = fieldsOf(PARTS).filter((field) => field.control === "slider");

describe("sliders", () => {
  test("are all looked at", () => expect(SLIDERS).toHaveLength(21));

  test.each(SLIDERS)("$path comes back from every stop", (field) => {
    const track = trackOf(field);
    for (const stop of track.stops) {
      expect(valueAt(track, positionOf(track, stop))).toBe(stop);
      if (field.type === "integer") {
        expect(Number.isInteger(stop)).toBe(true);
      }
    }
    expect(valueAt(track, 0)).toBe(track.min);
    expect(valueAt(track, 1)).toBe(track.max);
    expect(track.max).toBe(field.range!.max);
    expect([...track.stops].sort((a, b) => a - b)).toEqual(track.stops);
    expect(track.stops.length).toBeLessThan(210);
    expect(track.stops).toContain(field.default ?? track.min);
  });

  test("a rate runs by decades above a zero that it can't take", () => {
    const track = trackOf(fieldAt("optimizer.learning_rate"));
    expect(track.min).toBe(1e-7);
    expect(track.stops).toContain(2e-4);
    expect(track.stops).toContain(1.5e-5);
    expect(positionOf(track, 1e-7)).toBe(0);
    expect(positionOf(track, 1e-9)).toBe(0);
    expect(positionOf(track, 10 ** -3.5)).toBeCloseTo(0.5, 10);
  });

  test("a rank runs by doublings and has both ends", () => {
    expect(trackOf(fieldAt("method.lora_config.rank")).stops).toEqual([
      1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256,
    ]);
    expect(trackOf(fieldAt("schedule.sequence_length")).stops.slice(-3)).toEqual([24576, 32768, 33000]);
  });

  test("a share runs by hundredths without leftovers of binary fractions", () => {
    const { stops } = trackOf(fieldAt("method.lora_config.dropout"));
    expect(stops).toHaveLength(101);
    expect(stops[30]).toBe(0.3);
    expect(stops[7]).toBe(0.07);
  });

  test("keys go from stop to stop, also from a value between two", () => {
    const track = trackOf(fieldAt("method.lora_config.rank"));
    expect(step(track, 8, 1)).toBe(12);
    expect(step(track, 8, -1)).toBe(6);
    expect(step(track, 9, 1)).toBe(12);
    expect(step(track, 9, -1)).toBe(8);
    expect(step(track, 256, 1)).toBe(256);
    expect(step(track, 1, -1)).toBe(1);
    expect(keyed(track, 8, "ArrowUp")).toBe(12);
    expect(keyed(track, 8, "Home")).toBe(1);
    expect(keyed(track, 8, "End")).toBe(256);
    expect(keyed(track, 8, "PageDown")).toBe(4);
    expect(keyed(track, 8, "Tab")).toBeUndefined();
  });
});
