import { fromJson, toJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { TunesmithError } from "./errors.js";
import { JobConfigurationSchema, type JobConfiguration } from "./gen/tunesmith/config/v1/job_configuration_pb.js";
import type { Finding } from "./gen/tunesmith/preflight/v1/finding_pb.js";

type JsonFields = { [name: string]: JsonValue };

/**
 * The configuration with the fixes of some findings, in their order; what was given stays as it is.
 *
 * A fix is taken whole or not at all: one that touches a field which an earlier one has changed otherwise is left out, and the
 * next check says whether it is still needed. A fix of another version, with a field or a value that this one does not know, is an
 * error of code InvalidArgument.
 */
export function applyFixes(configuration: JobConfiguration, findings: readonly Finding[]): JobConfiguration {
  const fields = toJson(JobConfigurationSchema, configuration, { useProtoFieldName: true }) as JsonFields;
  const changed = new Map<string, JsonValue | undefined>();
  for (const { fix } of findings) {
    const edits = (fix?.edits ?? []).map(({ fieldPath, value }) => ({ path: fieldPath, value: value && toJson(ValueSchema, value) }));
    if (edits.some(({ path, value }) => contradicts(changed, path, value))) {
      continue;
    }
    for (const { path, value } of edits) {
      put(fields, path.split("."), value);
      changed.set(path, value);
    }
  }
  try {
    return fromJson(JobConfigurationSchema, fields);
  } catch (cause) {
    throw new TunesmithError(`a fix does not fit the configuration: ${(cause as Error).message}`, Code.InvalidArgument, { cause });
  }
}

/** Whether a field, one in it or one around it was set to something else. */
function contradicts(changed: ReadonlyMap<string, JsonValue | undefined>, path: string, value: JsonValue | undefined): boolean {
  return [...changed].some(([earlier, set]) =>
    earlier === path ? JSON.stringify(set) !== JSON.stringify(value) : earlier.startsWith(`${path}.`) || path.startsWith(`${earlier}.`),
  );
}

function put(fields: JsonFields, [name, ...rest]: string[], value: JsonValue | undefined): void {
  if (name === undefined) {
    return;
  }
  if (rest.length === 0) {
    if (value === undefined) {
      delete fields[name];
    } else {
      fields[name] = value;
    }
    return;
  }
  const inner = fields[name];
  if (inner === undefined && value === undefined) {
    // What is not there needs no removing.
    return;
  }
  const message = isFields(inner) ? inner : {};
  fields[name] = message;
  put(message, rest, value);
}

function isFields(value: JsonValue | undefined): value is JsonFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
