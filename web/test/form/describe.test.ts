// @vitest-environment node
import { create, createFileRegistry, fromJson } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Scale } from "@tunesmith/sdk";
import { describe, expect, test } from "vitest";
import { describe as describeSchema, fieldsOf, groupsOf } from "../../src/form/describe.js";
import { add, isSet, read, write } from "../../src/form/state.js";
import { fieldAt, PARTS, SCHEMA } from "./knobs.js";

// As many as ListParameters answers; tests/contract/test_parameters.py asserts the same number.
const KNOBS = 69;

describe("what a form knows of a configuration", () => {
  test("has every knob once, in the order of the form, in ten sections", () => {
    const paths = fieldsOf(PARTS).map((field) => field.path);
    expect(paths).toHaveLength(KNOBS);
    expect(new Set(paths).size).toBe(KNOBS);
    expect(PARTS.map((part) => part.path)).toEqual(SCHEMA.fields.map((field) => field.name));
    expect(PARTS).toHaveLength(10);
  });

  test("has a label and a way to draw each, and help for each", () => {
    for (const field of fieldsOf(PARTS)) {
      expect(field.label, field.path).not.toBe("");
      expect(field.help, field.path).not.toBe("");
    }
  });

  test("reads a range, a recommendation, a default and a scale from the protos", () => {
    expect(fieldAt("optimizer.learning_rate")).toMatchObject({
      label: "Learning rate",
      type: "number",
      control: "slider",
      range: { min: 0, minExclusive: true, max: 1 },
      recommended: { min: 1e-5, max: 5e-4 },
      default: 1e-5,
      scale: Scale.LOG10,
      required: false,
    });
    expect(fieldAt("schedule.sequence_length")).toMatchObject({
      type: "integer",
      unit: "tokens",
      range: { min: 512, max: 33000 },
      scale: Scale.LOG2,
    });
    expect(fieldAt("schedule.checkpoints").scale).toBe(Scale.LINEAR);
  });

  test("reads choices with their help, and a default among them", () => {
    const type = fieldAt("method.type");
    expect(type).toMatchObject({ type: "choice", control: "menu", required: true, default: undefined });
    expect(type.choices.map((choice) => choice.value)).toEqual([
      "TRAINING_METHOD_FULL",
      "TRAINING_METHOD_LORA",
      "TRAINING_METHOD_QLORA",
      "TRAINING_METHOD_PROMPT_TUNING",
      "TRAINING_METHOD_PREFIX_TUNING",
      "TRAINING_METHOD_P_TUNING",
    ]);
    expect(type.choices[1]).toMatchObject({ label: "LoRA", help: "A small adapter beside the frozen model; the usual choice." });
    expect(fieldAt("model.precision").default).toBe(3);
  });

  test("reads rules of texts and lists", () => {
    expect(fieldAt("output.suffix")).toMatchObject({
      type: "text",
      minLength: 1,
      maxLength: 64,
      pattern: "^[A-Za-z0-9][A-Za-z0-9_.\\-]*$",
    });
    expect(fieldAt("optimizations.enabled")).toMatchObject({ control: "switches", repeated: true, unique: true, maxItems: 16 });
    expect(fieldAt("model.base_model")).toMatchObject({ control: "base model", required: true });
    expect(fieldAt("datasets.training_file_id").control).toBe("dataset");
    expect(fieldAt("integrations.wandb.credential_id").control).toBe("credential");
    expect(fieldAt("metadata")).toMatchObject({ type: "json", control: "json" });
  });

  test("knows which groups are there by choice", () => {
    const byChoice = groupsOf(PARTS)
      .filter((group) => group.addedByChoice)
      .map((group) => group.path);
    expect(byChoice).toEqual([
      "model.rope_scaling",
      "method.lora_config",
      "method.prompt_tuning_config",
      "method.preference_config",
      "method.distillation_config",
      "integrations.wandb",
      "integrations.huggingface",
      "integrations.mlflow",
      "integrations.trackio",
    ]);
  });

  test("describes a knob that was added to a proto with no other edit", () => {
    const file = fromJson(FileDescriptorProtoSchema, {
      name: "added.proto",
      package: "added",
      syntax: "proto3",
      messageType: [
        {
          name: "Section",
          field: [
            { name: "num_beams", number: 1, type: "TYPE_INT32", label: "LABEL_OPTIONAL", proto3Optional: true, oneofIndex: 1 },
            { name: "myself", number: 2, type: "TYPE_MESSAGE", typeName: ".added.Section", label: "LABEL_OPTIONAL" },
            { name: "by_count", number: 3, type: "TYPE_INT64", label: "LABEL_OPTIONAL", oneofIndex: 0 },
            { name: "by_plan", number: 4, type: "TYPE_MESSAGE", typeName: ".added.Plan", label: "LABEL_OPTIONAL", oneofIndex: 0 },
            { name: "stops", number: 5, type: "TYPE_STRING", label: "LABEL_REPEATED" },
          ],
          oneofDecl: [{ name: "how" }, { name: "_num_beams" }],
        },
        { name: "Plan", field: [{ name: "name", number: 1, type: "TYPE_STRING", label: "LABEL_OPTIONAL" }] },
      ],
    });
    const message = createFileRegistry(file, () => undefined).getMessage("added.Section")!;
    const parts = describeSchema(message);
    expect(parts).toHaveLength(5);
    expect(parts[0]).toMatchObject({
      kind: "field",
      path: "num_beams",
      label: "Num beams",
      control: "number",
      type: "integer",
      required: false,
    });
    // A message that holds itself is free JSON, not a form without an end.
    expect(parts[1]).toMatchObject({ kind: "field", path: "myself", control: "json" });
    expect(parts[4]).toMatchObject({ kind: "field", control: "lines", repeated: true });
    // Members of a oneof are there by choice, each instead of the others.
    expect(parts[2]).toMatchObject({ kind: "field", type: "integer", instead: ["by_plan"] });
    expect(parts[3]).toMatchObject({ kind: "group", addedByChoice: true, instead: ["by_count"] });
    const counted = write(message, create(message), "by_count", 5);
    expect(read(message, counted, "by_count")).toBe(5);
    const planned = add(message, counted, "by_plan");
    expect([isSet(message, planned, "by_count"), isSet(message, planned, "by_plan")]).toEqual([false, true]);
  });
});
