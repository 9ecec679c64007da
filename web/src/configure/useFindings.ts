import type { JobConfiguration } from "@tunesmith/sdk";
import { JobConfigurationSchema } from "@tunesmith/sdk";
import { useMemo } from "react";
import type { Part } from "../form/describe.js";
import type { FormState } from "../form/edit.js";
import { advice, faultFindings, type Finding, loweringFindings, merge, placeOf, violations } from "../form/judge.js";
import { findingsOf, stillStanding } from "./preflight/reportFindings.js";
import type { Preflight } from "./preflight/useReport.js";

const SEVERITIES: Finding["severity"][] = ["error", "warning", "note"];

/** All that is said of a form, and whether it can be sent. */
export interface Findings {
  all: readonly Finding[];
  /** By the part of the form where it is shown; empty path: none. */
  placed: ReadonlyMap<string, readonly Finding[]>;
  /** Whether nothing that is known here speaks against sending it. What the server said before may have been put right there. */
  valid: boolean;
}

interface Said {
  parts: readonly Part[];
  state: FormState<JobConfiguration>;
  providerName: string;
  strict: boolean;
  preflight: Pick<Preflight, "report" | "of" | "current">;
  /** What the server said when the job was to be created. */
  server: readonly Finding[];
}

/** The rules, the provider, the server and what was typed, together. */
export function useFindings({ parts, state, providerName, strict, preflight, server }: Said): Findings {
  const { configuration, faults } = state;
  const { report, of, current } = preflight;
  const own = useMemo(
    () => [...faultFindings(faults), ...violations(JobConfigurationSchema, configuration)],
    [configuration, faults],
  );
  const advised = useMemo(
    () => advice(JobConfigurationSchema, configuration, parts, providerName, strict),
    [configuration, parts, providerName, strict],
  );
  const known = useMemo(() => new Set(pathsOf(parts)), [parts]);
  return useMemo(() => {
    const found = findingsOf(report);
    // One sentence about a drop is enough, unless it is an error here and a note there.
    const reported = [...unsaid(loweringFindings(report?.lowering ?? [], strict), found), ...found];
    // What is said of a field whose text is no value is about its being unset.
    const readable = reported.filter(({ fieldPath }) => !faults.has(fieldPath));
    const standing = current || !of ? readable : stillStanding(readable, of, configuration, known);
    // The server says the same as the rules here, and a way to put it right besides, so its own words come first.
    const here = unrepeated(own, standing);
    const foreseen = merge(current ? standing : [], here, unsaid(advised, standing));
    const order = ["", ...known];
    const weight = (finding: Finding) => order.indexOf(placeOf(finding.fieldPath, known));
    // Errors first, and then as the eye goes over the form.
    const all = merge(standing, here, server, foreseen).sort(
      (one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity) || weight(one) - weight(other),
    );
    const placed = new Map<string, Finding[]>();
    for (const finding of all) {
      const place = placeOf(finding.fieldPath, known);
      placed.set(place, [...(placed.get(place) ?? []), finding]);
    }
    return { all, placed, valid: !foreseen.some(({ severity }) => severity === "error") };
  }, [own, server, report, of, current, strict, advised, known, configuration, faults]);
}

/** Findings at fields of which nothing is said yet, and errors where nobody speaks of one. */
function unsaid(findings: readonly Finding[], said: readonly Finding[]): Finding[] {
  const known = (one: Finding, other: Finding) => other.fieldPath === one.fieldPath && (one.severity !== "error" || other.severity === "error");
  return findings.filter((one) => !said.some((other) => known(one, other)));
}

/** What the server has not said with more words: it puts path and value before a rule's sentence. */
function unrepeated(own: readonly Finding[], standing: readonly Finding[]): Finding[] {
  const repeats = (one: Finding, other: Finding) => other.fieldPath === one.fieldPath && other.severity === "error" && other.message.includes(one.message);
  return own.filter((one) => !standing.some((other) => repeats(one, other)));
}

/** Every part's path as they stand below each other, a group before what is in it. */
function pathsOf(parts: readonly Part[]): string[] {
  return parts.flatMap((part) => [part.path, ...(part.kind === "group" ? pathsOf(part.parts) : [])]);
}
