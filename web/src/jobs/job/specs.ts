import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { type ExportConfiguration, ExportConfigurationSchema, type Job, type JobConfiguration, JobConfigurationSchema } from "@tunesmith/sdk";

/** What a job trains, as it runs; undefined for a job that does something else. */
export function trainingOf({ spec, resolvedSpec }: Job): JobConfiguration | undefined {
  if (resolvedSpec.case === "resolvedConfiguration") {
    return resolvedSpec.value;
  }
  return spec.case === "configuration" ? spec.value : undefined;
}

/** What a job exports; undefined for a job that does something else. */
export function exportOf({ spec, resolvedSpec }: Job): ExportConfiguration | undefined {
  if (resolvedSpec.case === "resolvedExport") {
    return resolvedSpec.value;
  }
  return spec.case === "export" ? spec.value : undefined;
}

/** What a job was told, as proto JSON: as submitted, or with defaults filled in. */
export function specJson(job: Job, which: "spec" | "resolvedSpec"): JsonValue {
  const spec = job[which];
  switch (spec.case) {
    case "configuration":
    case "resolvedConfiguration":
      return toJson(JobConfigurationSchema, spec.value, { useProtoFieldName: true });
    case "export":
    case "resolvedExport":
      return toJson(ExportConfigurationSchema, spec.value, { useProtoFieldName: true });
    default:
      return {};
  }
}
