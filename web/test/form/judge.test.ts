// @vitest-environment node
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { FieldLoweringSchema, LoweringAction } from "@tunesmith/sdk";
import { describe, expect, test } from "vitest";
import { fieldsOf, groupsOf } from "../../src/form/describe.js";
import { advice, faultFindings, loweringFindings, merge, placeOf, violations } from "../../src/form/judge.js";
import { limit } from "../../src/form/limits.js";
import { configuration, LIMITED, lora, PARTS, SCHEMA } from "./knobs.js";

// The files that Python and the SDK are held to; both assert how many cases there are.
const CASES = 360;
const GOLDEN = fileURLToPath(new URL("../../../tests/golden/", import.meta.url));

interface GoldenCase {
  name: string;
  configuration: JsonValue;
  violations: [fieldPath: string, ruleId: string, message: string][];
}

const cases = readdirSync(GOLDEN)
  .filter((file) => file.endsWith(".json"))
  .flatMap((file) => JSON.parse(readFileSync(GOLDEN + file, "utf8")) as GoldenCase[]);

describe("golden configurations", () => {
  test("none got lost", () => expect(cases).toHaveLength(CASES));

  test.each(cases)("$name", ({ configuration: json, violations: expected }) => {
    const found = violations(SCHEMA, fromJson(SCHEMA, json));
    expect(found.map(({ fieldPath, message }) => [fieldPath, message]).sort()).toEqual(
      expected.map(([path, , message]) => [path, message]).sort(),
    );
    expect(found.every(({ severity }) => severity === "error")).toBe(true);
  });
});

describe("what a provider says", () => {
  const limited = limit(PARTS, LIMITED);
  const said = (json: Record<string, JsonValue>, strict = false) => advice(SCHEMA, lora(json), limited, "Limited", strict);

  test("a refused value is an error in its words", () => {
    expect(said({ method: { type: "TRAINING_METHOD_QLORA", lora_config: {} } })).toEqual([
      { severity: "error", fieldPath: "method.type", message: "it has no quantized weights; use LORA" },
    ]);
  });

  test("a dropped item of a list is a note that names it, and an error when strict", () => {
    const json = { optimizations: { enabled: ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING", "OPTIMIZATION_FEATURE_FLASH_ATTENTION"] } };
    const finding = { fieldPath: "optimizations.enabled[1]", message: "FLASH_ATTENTION: it picks its own kernel; remove it" };
    expect(said(json)).toEqual([{ severity: "note", ...finding }]);
    expect(said(json, true)).toEqual([{ severity: "error", ...finding }]);
  });

  test("a field that does not act is noted only when it is set", () => {
    expect(said({ hardware: { num_gpus: 2 } }).map(({ fieldPath }) => fieldPath)).toEqual(["hardware.num_gpus"]);
    expect(said({})).toEqual([]);
  });

  test("a value outside of its narrower range is an error, outside of the recommendation a note", () => {
    expect(said({ schedule: { epochs: 8 } })).toEqual([
      { severity: "error", fieldPath: "schedule.epochs", message: "Limited takes 1 to 5 epochs; choose a value in between" },
    ]);
    expect(said({ optimizer: { learning_rate: 0.1 } })).toEqual([
      {
        severity: "note",
        fieldPath: "optimizer.learning_rate",
        message: "0.1 is allowed and unusual: 1e-5 to 5e-4 mostly works best",
      },
    ]);
    expect(said({ optimizer: { learning_rate: 5e-4 } })).toEqual([]);
  });

  test("what became of each field counts where it does not act", () => {
    const lowering = [LoweringAction.SENT, LoweringAction.CONVERTED, LoweringAction.DROPPED, LoweringAction.REFUSED].map(
      (action, index) => create(FieldLoweringSchema, { fieldPath: `f${index}`, action, detail: "why" }),
    );
    expect(loweringFindings(lowering, false).map(({ severity, fieldPath }) => [severity, fieldPath])).toEqual([
      ["note", "f2"],
      ["error", "f3"],
    ]);
  });
});

describe("findings together", () => {
  test("are said once, by the first to say them", () => {
    const error = { severity: "error" as const, fieldPath: "a", message: "wrong" };
    const warning = { severity: "warning" as const, fieldPath: "b", message: "odd" };
    expect(merge([warning], [error, warning], [{ ...error, severity: "warning" }])).toEqual([warning, error]);
  });

  test("stand at the deepest part that is there", () => {
    const known = new Set([...fieldsOf(PARTS), ...groupsOf(PARTS)].map((part) => part.path));
    expect(placeOf("optimizations.enabled[1]", known)).toBe("optimizations.enabled");
    expect(placeOf("method.lora_config.rank", known)).toBe("method.lora_config.rank");
    expect(placeOf("metadata.together", known)).toBe("metadata");
    expect(placeOf("method", known)).toBe("method");
    expect(placeOf("", known)).toBe("");
  });

  test("texts that are no values are errors", () => {
    expect(faultFindings(new Map([["schedule.epochs", { text: "x", fault: "no" }]]))).toEqual([
      { severity: "error", fieldPath: "schedule.epochs", message: "no" },
    ]);
  });

  test("a configuration that is complete has none", () => {
    expect(merge(violations(SCHEMA, lora()), advice(SCHEMA, lora(), limit(PARTS, LIMITED), "Limited", true))).toEqual([]);
    expect(violations(SCHEMA, configuration({}))).toHaveLength(3);
  });
});
