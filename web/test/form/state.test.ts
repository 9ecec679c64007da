// @vitest-environment node
import { describe, expect, test } from "vitest";
import { fieldsOf, groupsOf } from "../../src/form/describe.js";
import { readJson, toData, writeJson } from "../../src/form/json.js";
import { isUnused, limit } from "../../src/form/limits.js";
import { nearest } from "../../src/form/names.js";
import { add, changedFields, isSet, put, read, take, type Value, write } from "../../src/form/state.js";
import { configuration, fieldAt, LIMITED, lora, PARTS, SCHEMA } from "./knobs.js";

describe("a configuration that is changed", () => {
  test("holds what was set, in a new message", () => {
    const before = configuration({});
    const after = write(SCHEMA, before, "method.lora_config.rank", 32);
    expect(read(SCHEMA, after, "method.lora_config.rank")).toBe(32);
    expect(read(SCHEMA, before, "method.lora_config.rank")).toBeUndefined();
    expect(toData(SCHEMA, after)).toEqual({ method: { lora_config: { rank: 32 } } });
  });

  test("unset is not zero", () => {
    const zero = write(SCHEMA, configuration({}), "schedule.evaluations", 0);
    expect(isSet(SCHEMA, zero, "schedule.evaluations")).toBe(true);
    expect(read(SCHEMA, zero, "schedule.evaluations")).toBe(0);
    expect(isSet(SCHEMA, write(SCHEMA, zero, "schedule.evaluations", undefined), "schedule.evaluations")).toBe(false);
    expect(write(SCHEMA, configuration({}), "schedule.evaluations", undefined)).toEqual(configuration({}));
  });

  test("takes every knob and gives it back", () => {
    const fields = fieldsOf(PARTS);
    expect(fields).toHaveLength(69);
    for (const field of fields) {
      const one = {
        choice: field.choices[0]?.number,
        text: "a",
        integer: 7,
        number: 0.5,
        switch: true,
        json: { together: { n: [1, "x"] } },
      }[field.type];
      const value = (field.repeated ? [one] : one) as Value;
      const changed = write(SCHEMA, configuration({}), field.path, value);
      expect(read(SCHEMA, changed, field.path), field.path).toEqual(value);
      expect(changedFields(SCHEMA, changed)).toEqual([field.path]);
    }
  });

  test("lets a part be taken and put back", () => {
    const ranked = write(SCHEMA, lora(), "method.lora_config.rank", 9);
    const json = take(SCHEMA, ranked, "method.lora_config")!;
    const without = write(SCHEMA, ranked, "method.lora_config", undefined);
    expect(isSet(SCHEMA, without, "method.lora_config")).toBe(false);
    expect(put(SCHEMA, without, "method.lora_config", json)).toEqual(ranked);
    expect(take(SCHEMA, add(SCHEMA, without, "method.lora_config"), "method.lora_config")).toEqual({});
    expect(take(SCHEMA, without, "method.lora_config")).toBeUndefined();
  });
});

describe("a configuration as JSON", () => {
  test("comes back as it was, with the protos' names", () => {
    const text = writeJson(SCHEMA, lora({ optimizer: { learning_rate: 2e-4 } }));
    expect(text).toContain('"training_file_id": "rows"');
    expect(text).toContain('"TRAINING_METHOD_LORA"');
    expect(readJson(SCHEMA, text).configuration).toEqual(lora({ optimizer: { learning_rate: 2e-4 } }));
  });

  test.each([
    ['{"optimizer": {"lerning_rate": 1}}', "optimizer.lerning_rate is unknown; did you mean optimizer.learning_rate?"],
    [
      '{"method": {"type": "TRAINING_METHOD_LORRA"}}',
      "method.type: TRAINING_METHOD_LORRA is unknown; did you mean TRAINING_METHOD_LORA?",
    ],
    ['{"xyzzyxyzzy": 1}', "xyzzyxyzzy is unknown; known here: model, datasets, method"],
    ["[1]", "A configuration is a JSON object"],
    ["{", "This is not JSON"],
    ['{"schedule": {"epochs": "many"}}', "Schedule.epochs: "],
  ])("%s is refused by name", (text, fault) => {
    const { configuration: read, faults } = readJson(SCHEMA, text);
    expect(read).toBeUndefined();
    expect(faults).toHaveLength(1);
    expect(faults![0]).toContain(fault);
  });

  test("names every unknown key at once", () => {
    expect(readJson(SCHEMA, '{"modle": {}, "schedule": {"epoch": 1}, "metadata": {"anything": 1}}').faults).toEqual([
      "modle is unknown; did you mean model?",
      "schedule.epoch is unknown; did you mean schedule.epochs?",
    ]);
  });

  test("the nearest name is one that is near", () => {
    expect(nearest("bach_size", ["batch_size", "seed"])).toBe("batch_size");
    expect(nearest("entirely_else", ["batch_size", "seed"])).toBeUndefined();
  });
});

describe("a provider's limits", () => {
  const limited = limit(PARTS, LIMITED);

  test("mark values and fields with the reason", () => {
    const qlora = fieldAt("method.type", limited).choices.find((choice) => choice.value === "TRAINING_METHOD_QLORA");
    expect(qlora?.limitation).toEqual({ action: "refused", reason: "it has no quantized weights; use LORA" });
    expect(fieldAt("hardware.gpu_type", limited).limitation).toEqual({
      action: "dropped",
      reason: "it has one device; remove it",
    });
    expect(fieldAt("schedule.epochs", limited)).toMatchObject({ range: { min: 1, max: 5 }, narrowed: true });
  });

  test("fold a section in which nothing acts, and keep every field", () => {
    expect(fieldsOf(limited)).toHaveLength(69);
    expect(limited.filter(isUnused).map((part) => part.path)).toEqual(["hardware"]);
    expect(groupsOf(limit(PARTS, undefined)).filter(isUnused)).toEqual([]);
  });
});
