// The same cases as tests/contract/test_golden.py, against the same files: a form that says "fine" must mean that the server
// does, and one that objects must use the server's words.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { JobConfigurationSchema } from "../src/index.js";
import { validate } from "../src/validation.js";

// A list that silently shrinks still passes, so its length is written down, here and in Python.
const CASE_COUNT = 360;
const GOLDEN = fileURLToPath(new URL("../../../../tests/golden/", import.meta.url));

interface GoldenCase {
  name: string;
  configuration: JsonValue;
  violations: [fieldPath: string, ruleId: string, message: string][];
}

const cases = readdirSync(GOLDEN)
  .filter((file) => file.endsWith(".json"))
  .flatMap((file) => JSON.parse(readFileSync(GOLDEN + file, "utf8")) as GoldenCase[]);

/** What the rules say of a configuration, as the files write it. */
function violations(configuration: JsonValue): GoldenCase["violations"] {
  const found = validate(JobConfigurationSchema, fromJson(JobConfigurationSchema, configuration));
  return found.map(({ fieldPath, ruleId, message }) => [fieldPath, ruleId, message]);
}

describe("golden configurations", () => {
  test("none got lost", () => expect(cases).toHaveLength(CASE_COUNT));

  test.each(cases)("$name", ({ configuration, violations: expected }) => {
    expect(violations(configuration).sort()).toEqual(expected.sort());
  });
});
