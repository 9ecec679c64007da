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
const TEXT = `${PROMPT}.initial_text`;
const ENCODER = `${PROMPT}.encoder_hidden_size`;
const PREFERENCES = "method.preference_config";
const DISTILLATION = "method.distillation_config";
// Only weights of 4 bits have scales to quantize; two objectives have settings of their own.
const ELSEWHERE = { "model.double_quantization": "hidden", [PREFERENCES]: "hidden", [DISTILLATION]: "hidden" };
const CYCLES = "optimizer.scheduler.cycles";

describe("which parts make sense is asked of the rules", () => {
  test.each([
    ["LORA", { [LORA]: "required", [PROMPT]: "hidden" }, { [TEXT]: "hidden", [ENCODER]: "hidden" }],
    ["QLORA", { [LORA]: "required", [PROMPT]: "hidden" }, { [TEXT]: "hidden", [ENCODER]: "hidden" }],
    ["FULL", { [LORA]: "hidden", [PROMPT]: "hidden" }, { [TEXT]: "hidden", [ENCODER]: "hidden" }],
    ["PROMPT_TUNING", { [LORA]: "hidden", [PROMPT]: "required" }, { [ENCODER]: "hidden" }],
    ["PREFIX_TUNING", { [LORA]: "hidden", [PROMPT]: "required" }, { [TEXT]: "hidden" }],
    ["P_TUNING", { [LORA]: "hidden", [PROMPT]: "required" }, { [TEXT]: "hidden" }],
  ])("with %s", (type, groups, inside) => {
    expect(stateOf(method(type))).toEqual({ ...groups, ...ELSEWHERE });
    // What is there already is judged the same, and so is what is in it.
    const both = method(type, { lora_config: {}, prompt_tuning_config: {} });
    expect(stateOf(both)).toEqual({ ...groups, ...inside, ...ELSEWHERE });
  });

  test("settings of an objective only with it", () => {
    const objective = (name: string) => stateOf(method("FULL", { objective: `TRAINING_OBJECTIVE_${name}` }));
    expect(objective("DPO")[PREFERENCES]).toBeUndefined();
    expect(objective("DPO")[DISTILLATION]).toBe("hidden");
    expect(objective("DISTILLATION")[DISTILLATION]).toBe("required");
  });

  test("before a method is chosen they wait for it", () => {
    expect(stateOf({})).toEqual({ [LORA]: "waiting", [PROMPT]: "waiting", ...ELSEWHERE });
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
      expect.stringMatching(/^LoRA was taken out: method.lora_config only has a meaning when method.type is LORA or QLORA/),
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
