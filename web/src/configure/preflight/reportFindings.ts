import { type JobConfiguration, JobConfigurationSchema, type Report, Severity } from "@tunesmith/sdk";
import type { Finding } from "../../form/judge.js";
import { placeOf } from "../../form/judge.js";
import { take } from "../../form/state.js";

/** A severity of a later version is said quietly. */
const SEVERITIES: Partial<Record<Severity, Finding["severity"]>> = {
  [Severity.ERROR]: "error",
  [Severity.WARNING]: "warning",
};

/** What a report says of a configuration, as a form shows it. */
export function findingsOf(report: Report | undefined): Finding[] {
  return (report?.findings ?? []).map(({ severity, fieldPath, message, fix }) => ({
    severity: SEVERITIES[severity] ?? "note",
    fieldPath,
    message,
    fix: fix && fix.edits.length > 0 ? fix : undefined,
  }));
}

/** What was said of an earlier configuration and may still hold: the field that it is about is as it was. */
export function stillStanding(
  findings: readonly Finding[],
  of: JobConfiguration,
  now: JobConfiguration,
  known: ReadonlySet<string>,
): Finding[] {
  return findings.filter(({ fieldPath }) => {
    const place = placeOf(fieldPath, known);
    return place === "" || same(valueAt(of, place), valueAt(now, place));
  });
}

function valueAt(configuration: JobConfiguration, path: string): unknown {
  return take(JobConfigurationSchema, configuration, path);
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
