// The same cases as tests/contract/test_golden.py, against the same files: a form that says "fine" must mean that the server does.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { describe, expect, test } from "vitest";
import { JobConfigurationSchema } from "../src/gen/tunesmith/config/v1/job_configuration_pb.js";

// A list that silently shrinks still passes, so its length is written down, here and in Python.
const CASE_COUNT = 218;
const GOLDEN = fileURLToPath(new URL("../../../../tests/golden/", import.meta.url));

interface GoldenCase {
  name: string;
  configuration: JsonValue;
  violations: [fieldPath: string, ruleId: string][];
}

const cases = readdirSync(GOLDEN)
  .filter((file) => file.endsWith(".json"))
  .flatMap((file) => JSON.parse(readFileSync(GOLDEN + file, "utf8")) as GoldenCase[]);
const validator = createValidator();

/** What the rules say of a configuration, as the files write it. */
function violations(configuration: JsonValue): string[] {
  const result = validator.validate(JobConfigurationSchema, fromJson(JobConfigurationSchema, configuration));
  if (result.kind === "error") {
    throw result.error;
  }
  return (result.violations ?? []).map((violation) => `${pathToString(violation.field)} ${violation.ruleId}`).sort();
}

describe("golden configurations", () => {
  test("none got lost", () => expect(cases).toHaveLength(CASE_COUNT));

  test.each(cases)("$name", ({ configuration, violations: expected }) => {
    expect(violations(configuration)).toEqual(expected.map(([path, rule]) => `${path} ${rule}`).sort());
  });
});
