// @vitest-environment node
import type { JsonValue } from "@bufbuild/protobuf";
import { validate } from "@tunesmith/sdk/validation";
import { describe, expect, test } from "vitest";
import { presences } from "../../src/form/presence.js";
import { settle } from "../../src/form/settle.js";
import { isSet, read, write } from "../../src/form/state.js";
import { configuration, lora, PARTS, SCHEMA } from "./knobs.js";

function stateOf(json: JsonValue): Record<string, string> {
  return Object.fromEntries([...presences(SCHEMA, configuration(json), PARTS)].map(([path, { state }]) => [path, state]));
}

const method = (type: string, more: Record<string, JsonValue> = {}) => ({ method: { type: `TRAINING_METHOD_${type}`, ...more } });
const LORA = "method.lora_config";
const PROMPT = "method.prompt_tuning_config";
// Only weights of 4 bits have scales to quantize.
const DOUBLE = { "model.double_quantization": "hidden" };
const CYCLES = "optimizer.scheduler.cycles";

describe("which parts make sense is asked of the rules", () => {
  test.each([
    ["LORA", { [LORA]: "required", [PROMPT]: "hidden", ...DOUBLE }],
    ["QLORA", { [LORA]: "required", [PROMPT]: "hidden", ...DOUBLE }],
    ["FULL", { [LORA]: "hidden", [PROMPT]: "hidden", ...DOUBLE }],
    ["PROMPT_TUNING", { [LORA]: "hidden", [PROMPT]: "required", ...DOUBLE }],
  ])("with %s", (type, expected) => {
    expect(stateOf(method(type))).toEqual(expected);
    // What is there already is judged the same.
    expect(stateOf(method(type, { lora_config: {}, prompt_tuning_config: {} }))).toEqual(expected);
  });

  test("before a method is chosen they wait for it", () => {
    expect(stateOf({})).toEqual({ [LORA]: "waiting", [PROMPT]: "waiting", ...DOUBLE });
    expect(presences(SCHEMA, configuration({}), PARTS).get(LORA)?.reason).toBe("Method");
  });

  test("cycles only with a cosine", () => {
    const scheduler = (type: string) => stateOf({ optimizer: { scheduler: { type: `LR_SCHEDULER_TYPE_${type}` } } })[CYCLES];
    expect(scheduler("COSINE")).toBeUndefined();
    expect(scheduler("LINEAR")).toBe("hidden");
    expect(scheduler("CONSTANT_WITH_WARMUP")).toBe("hidden");
    expect(stateOf({})[CYCLES]).toBeUndefined();
  });

  test("a field that breaks a rule with one value only stays", () => {
    const same = stateOf({
      datasets: { training_file_id: "a", validation_file_id: "a" },
      model: { precision: "MODEL_PRECISION_INT4" },
    });
    expect(same["datasets.validation_file_id"]).toBeUndefined();
    expect(same["model.precision"]).toBeUndefined();
  });
});

describe("settling", () => {
  test("adds what the method requires, so that the rules take it", () => {
    const chosen = write(SCHEMA, lora({ method: {} }), "method.type", 4);
    const settled = settle(SCHEMA, PARTS, chosen);
    expect(isSet(SCHEMA, settled.configuration, PROMPT)).toBe(true);
    expect(validate(SCHEMA, settled.configuration)).toEqual([]);
    expect(settled.notes).toEqual([]);
  });

  test("takes out what has no meaning, says so, and gives it back", () => {
    const ranked = write(SCHEMA, lora(), `${LORA}.rank`, 32);
    const full = settle(SCHEMA, PARTS, write(SCHEMA, ranked, "method.type", 1));
    expect(isSet(SCHEMA, full.configuration, LORA)).toBe(false);
    expect(full.notes.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^LoRA was taken out: method.lora_config has no meaning when method.type is FULL/),
    ]);
    const back = settle(SCHEMA, PARTS, write(SCHEMA, full.configuration, "method.type", 3), full.kept);
    expect(read(SCHEMA, back.configuration, `${LORA}.rank`)).toBe(32);
    expect(back.kept.size).toBe(0);
  });

  test("puts required sections there, so that what is missing is said of their fields", () => {
    const { configuration: settled } = settle(SCHEMA, PARTS, configuration({}));
    expect(validate(SCHEMA, settled).map(({ fieldPath }) => fieldPath)).toEqual([
      "model.base_model",
      "datasets.training_file_id",
      "method.type",
    ]);
  });

  test("takes out cycles when the curve is no cosine any more", () => {
    const cosine = lora({ optimizer: { scheduler: { cycles: 1 } } });
    const settled = settle(SCHEMA, PARTS, write(SCHEMA, cosine, "optimizer.scheduler.type", 2));
    expect(read(SCHEMA, settled.configuration, CYCLES)).toBeUndefined();
    expect(settled.notes).toHaveLength(1);
  });
});
