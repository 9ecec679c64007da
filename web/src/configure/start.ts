import { create, type JsonValue } from "@bufbuild/protobuf";
import { type JobConfiguration, JobConfigurationSchema } from "@tunesmith/sdk";
import { type Control, describe, type FieldDescription, fieldsOf } from "../form/describe.js";
import { readData } from "../form/json.js";
import { read, write } from "../form/state.js";

/** What a form starts with, and what could not be used of it. */
export interface Start {
  configuration: JobConfiguration;
  faults: readonly string[];
}

/** The first configuration: what was given as JSON, with the base model and the dataset that were named beside it. */
export function startWith({ initial, dataset, baseModel }: { initial?: JsonValue; dataset?: string; baseModel?: string }): Start {
  const given = initial === undefined ? undefined : readData(JobConfigurationSchema, initial);
  let configuration = given?.configuration ?? create(JobConfigurationSchema);
  for (const [control, value] of [
    ["dataset", dataset],
    ["base model", baseModel],
  ] satisfies [Control, string | undefined][]) {
    const field = meant(control);
    if (field && value) {
      configuration = write(JobConfigurationSchema, configuration, field.path, value);
    }
  }
  return { configuration, faults: given?.faults ?? [] };
}

/** What was picked in the field that people mean by "the base model" or "the dataset"; empty if nothing was. */
export function picked(configuration: JobConfiguration, control: Control): string {
  const field = meant(control);
  const value = field && read(JobConfigurationSchema, configuration, field.path);
  return typeof value === "string" ? value : "";
}

/** The field of a control that can't be left out. */
function meant(control: Control): FieldDescription | undefined {
  return FIELDS.find((one) => one.control === control && one.required);
}

const FIELDS = fieldsOf(describe(JobConfigurationSchema));
