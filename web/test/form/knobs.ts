// What the tests of the form stand on: the real schema, and a provider as the real one answers.
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type JobConfiguration, JobConfigurationSchema, LoweringAction, type Provider, ProviderSchema } from "@tunesmith/sdk";
import { describe as describeSchema, type FieldDescription, fieldsOf, type Part } from "../../src/form/describe.js";

export const SCHEMA = JobConfigurationSchema;
export const PARTS: Part[] = describeSchema(SCHEMA);

/** The field at a path. */
export function fieldAt(path: string, parts: Part[] = PARTS): FieldDescription {
  const field = fieldsOf(parts).find((one) => one.path === path);
  if (!field) {
    throw new Error(`no field ${path}`);
  }
  return field;
}

/** A configuration from JSON as the protos write it. */
export function configuration(json: JsonValue): JobConfiguration {
  return fromJson(JobConfigurationSchema, json);
}

/** What is needed for a LoRA job, and more. */
export function lora(more: Record<string, JsonValue> = {}): JobConfiguration {
  return configuration({
    model: { base_model: "tunesmith/pico" },
    datasets: { training_file_id: "rows" },
    method: { type: "TRAINING_METHOD_LORA", lora_config: {} },
    ...more,
  });
}

/** A provider with one of each limitation. */
export const LIMITED: Provider = create(ProviderSchema, {
  id: "limited",
  displayName: "Limited",
  capabilities: {
    limitations: [
      {
        fieldPath: "method.type",
        value: "TRAINING_METHOD_QLORA",
        action: LoweringAction.REFUSED,
        reason: "it has no quantized weights; use LORA",
      },
      {
        fieldPath: "optimizations.enabled",
        value: "OPTIMIZATION_FEATURE_FLASH_ATTENTION",
        action: LoweringAction.DROPPED,
        reason: "it picks its own kernel; remove it",
      },
      { fieldPath: "hardware.gpu_type", action: LoweringAction.DROPPED, reason: "it has one device; remove it" },
      { fieldPath: "hardware.num_gpus", action: LoweringAction.DROPPED, reason: "it has one device; remove it" },
      { fieldPath: "hardware.strategy", action: LoweringAction.DROPPED, reason: "it has one device; remove it" },
      { fieldPath: "hardware.num_processes", action: LoweringAction.DROPPED, reason: "it has one device; remove it" },
      { fieldPath: "hardware.gpu_share", action: LoweringAction.DROPPED, reason: "it has one device; remove it" },
    ],
    ranges: [{ fieldPath: "schedule.epochs", range: { min: 0, max: 5 } }],
  },
});
