// @vitest-environment node
import { describe, expect, test } from "vitest";
import { narrow, rangeText, takes } from "../../src/form/range.js";
import { parseNumber, showNumber, writeNumber } from "../../src/form/text.js";

describe("numbers that are typed", () => {
  test.each([
    ["2e-4", 0.0002],
    ["2E-4", 0.0002],
    [" 0.0002 ", 0.0002],
    [".5", 0.5],
    ["1,000", 1000],
    ["1 000", 1000],
    ["12,345.5", 12345.5],
    ["-3", -3],
    ["+3", 3],
    ["0", 0],
  ])("%s", (text, value) => expect(parseNumber(text, false)).toEqual({ value }));

  test.each(["abc", "1,5", "0x10", "1e", "--1", "1,00", "Infinity", "NaN", "1e999"])(
    "%s is none, and says what to do",
    (text) => {
      const { value, fault } = parseNumber(text, false);
      expect(value).toBeUndefined();
      expect(fault).toMatch(/^“.*” is not a number; write /);
    },
  );

  test("nothing typed is neither a number nor a fault", () => expect(parseNumber("  ", true)).toEqual({}));

  test("a whole number is asked for where one is needed", () => {
    expect(parseNumber("3.5", true).fault).toBe("3.5 is not a whole number; write 3 or 4");
    expect(parseNumber("1e3", true)).toEqual({ value: 1000 });
    expect(parseNumber("3000000000", true).fault).toContain("write at most 2147483647");
  });

  test("are written as they are read", () => {
    for (const value of [0.0002, 1e-7, 0.05, 33000, 0, 1.5e-5, -4]) {
      expect(parseNumber(writeNumber(value), false)).toEqual({ value });
    }
    expect([writeNumber(0.0002), writeNumber(0.05), showNumber(33000)]).toEqual(["2e-4", "0.05", "33,000"]);
  });
});

describe("ranges", () => {
  test("say what they take", () => {
    expect(rangeText({ min: 512, max: 33000 })).toBe("512 to 33,000");
    expect(rangeText({ min: 0, minExclusive: true, max: 1 })).toBe("above 0, at most 1");
    expect(rangeText({ max: 3, maxExclusive: true })).toBe("below 3");
    expect(rangeText(undefined)).toBe("");
  });

  test("take their ends unless they leave them out", () => {
    expect([takes({ min: 0, max: 1 }, 0), takes({ min: 0, minExclusive: true }, 0), takes({ max: 1 }, 2)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("narrow to what both take", () => {
    expect(narrow({ min: 1, max: 20 }, { min: 0, max: 5 })).toMatchObject({ min: 1, max: 5 });
    expect(narrow({ min: 1 }, { min: 1, minExclusive: true })).toMatchObject({ min: 1, minExclusive: true, max: undefined });
    expect(narrow(undefined, { min: 2 })).toEqual({ min: 2 });
  });
});
