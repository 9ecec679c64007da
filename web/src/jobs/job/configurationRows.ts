import type { JsonValue } from "@bufbuild/protobuf";
import type { FieldLowering, Job } from "@tunesmith/sdk";
import { specJson } from "./specs.js";

/** One field of a job's configuration. */
export interface ConfigurationRow {
  path: string;
  /** What runs; undefined for a field that was asked for and is not in what runs. */
  value: string | undefined;
  /** It was not in what was submitted: the server filled it in. */
  defaulted: boolean;
  /** What became of it on its way to the provider; for a list, of each of its values that it says something of. */
  lowering: FieldLowering[];
}

/** A section of a configuration: the fields below one of its messages. */
export interface ConfigurationSection {
  name: string;
  rows: ConfigurationRow[];
}

/** The configuration as it runs, field by field, in the order of the protos. */
export function configurationSections(job: Job): ConfigurationSection[] {
  const submitted = flat(specJson(job, "spec"));
  const resolved = flat(specJson(job, "resolvedSpec"));
  const lowering = new Map<string, FieldLowering[]>();
  for (const each of job.lowering) {
    const row = rowOf(each.fieldPath, resolved);
    lowering.set(row, [...(lowering.get(row) ?? []), each]);
  }
  const paths = [...resolved.keys()];
  // What was asked for and did not come through, and what the provider says of whole messages, is shown as well.
  paths.push(...[...submitted.keys()].filter((path) => !resolved.has(path)));
  paths.push(...[...lowering.keys()].filter((path) => !paths.includes(path)));
  const sections = new Map<string, ConfigurationRow[]>();
  for (const path of paths) {
    const name = path.split(/[.[]/, 1)[0]!;
    const rows = sections.get(name) ?? [];
    sections.set(name, rows);
    rows.push({
      path,
      value: resolved.get(path) ?? submitted.get(path),
      defaulted: resolved.has(path) && !submitted.has(path),
      lowering: lowering.get(path) ?? [],
    });
  }
  return [...sections].map(([name, rows]) => ({ name, rows }));
}

/** The row that a path belongs to: one value of a list of plain values stands in the list's row. */
function rowOf(path: string, rows: ReadonlyMap<string, string>): string {
  const list = path.replace(/\[[^\]]*\]$/, "");
  return !rows.has(path) && rows.has(list) ? list : path;
}

/** The configuration as it was submitted, as a job file has it. */
export function submittedConfiguration(job: Job): string {
  return JSON.stringify(specJson(job, "spec"), null, 2);
}

/** Every leaf by its path. Lists of plain values are leaves. */
function flat(value: JsonValue, path = "", rows = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(value) && value.some((item) => typeof item === "object" && item !== null)) {
    value.forEach((item, index) => flat(item, `${path}[${index}]`, rows));
  } else if (Array.isArray(value)) {
    rows.set(path, value.map(String).join(", "));
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      flat(item, path ? `${path}.${key}` : key, rows);
    }
  } else {
    rows.set(path, String(value));
  }
  return rows;
}
