import { create, type JsonValue } from "@bufbuild/protobuf";
import { type JobConfiguration, JobConfigurationSchema } from "@tunesmith/sdk";
import { type Control, describe, fieldsOf } from "../form/describe.js";
import { readData } from "../form/json.js";
import { write } from "../form/state.js";

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
    // The field that can't be left out is the one people mean by "the dataset".
    const field = fieldsOf(describe(JobConfigurationSchema)).find((one) => one.control === control && one.required);
    if (field && value) {
      configuration = write(JobConfigurationSchema, configuration, field.path, value);
    }
  }
  return { configuration, faults: given?.faults ?? [] };
}
