// The same cases as the Python client's, against the same file: a fix does the same thing from a button and from a program.
import { readFileSync } from "node:fs";
import { fromJson, toJson, type JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { Code, FindingSchema, JobConfigurationSchema, applyFixes } from "../src/index.js";

// A list that silently shrinks still passes, so its length is written down, here and in Python.
const CASE_COUNT = 16;
const FILE = new URL("../../../../tests/golden_fixes/fixes.json", import.meta.url);

interface GoldenFix {
  name: string;
  configuration: JsonValue;
  findings: JsonValue[];
  expected: JsonValue;
}

const cases = JSON.parse(readFileSync(FILE, "utf8")) as GoldenFix[];

const configurationOf = (json: JsonValue) => fromJson(JobConfigurationSchema, json);
const findingsOf = (found: JsonValue[]) => found.map((json) => fromJson(FindingSchema, json));

describe("golden fixes", () => {
  test("none got lost", () => expect(cases).toHaveLength(CASE_COUNT));

  test.each(cases)("$name", ({ configuration, findings, expected }) => {
    const given = configurationOf(configuration);
    const fixed = applyFixes(given, findingsOf(findings));
    expect(toJson(JobConfigurationSchema, fixed, { useProtoFieldName: true })).toEqual(expected);
    expect(given).toEqual(configurationOf(configuration));
  });

  test.each<[string, JsonValue]>([
    ["schedule.no_such_field", 1],
    ["method.type", "TRAINING_METHOD_UNHEARD_OF"],
    ["schedule.epochs", "three"],
  ])("a fix of another version is refused: %s", (field_path, value) => {
    const finding = { fix: { edits: [{ field_path, value }] } };
    expect(() => applyFixes(configurationOf({}), findingsOf([finding]))).toThrow(
      expect.objectContaining({ name: "TunesmithError", code: Code.InvalidArgument }) as Error,
    );
  });
});
