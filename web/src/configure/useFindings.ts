import type { FieldLowering, JobConfiguration } from "@tunesmith/sdk";
import { JobConfigurationSchema } from "@tunesmith/sdk";
import { useMemo } from "react";
import type { Part } from "../form/describe.js";
import type { FormState } from "../form/edit.js";
import { advice, faultFindings, type Finding, loweringFindings, merge, placeOf, violations } from "../form/judge.js";

const SEVERITIES: Finding["severity"][] = ["error", "warning", "note"];

/** All that is said of a form, and whether it can be sent. */
export interface Findings {
  all: readonly Finding[];
  /** By the part of the form where it is shown; empty path: none. */
  placed: ReadonlyMap<string, readonly Finding[]>;
  /** Whether the configuration keeps its own rules, so that a provider can be asked about it. */
  keepsRules: boolean;
  /** Whether nothing that is known here speaks against sending it. What the server said before may have been put right there. */
  valid: boolean;
}

interface Said {
  parts: readonly Part[];
  state: FormState<JobConfiguration>;
  providerName: string;
  strict: boolean;
  /** What the provider made of this very configuration, if it was asked. */
  lowering: readonly FieldLowering[];
  server: readonly Finding[];
}

/** The rules, the provider, the server and what was typed, together. */
export function useFindings({ parts, state, providerName, strict, lowering, server }: Said): Findings {
  const { configuration, faults } = state;
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
    const foreseen = merge(own, loweringFindings(lowering, strict), advised);
    const order = ["", ...known];
    const weight = (finding: Finding) => order.indexOf(placeOf(finding.fieldPath, known));
    // Errors first, and then as the eye goes over the form.
    const all = merge(own, server, foreseen).sort(
      (one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity) || weight(one) - weight(other),
    );
    const placed = new Map<string, Finding[]>();
    for (const finding of all) {
      const place = placeOf(finding.fieldPath, known);
      placed.set(place, [...(placed.get(place) ?? []), finding]);
    }
    return { all, placed, keepsRules: own.length === 0, valid: !foreseen.some(({ severity }) => severity === "error") };
  }, [own, server, lowering, strict, advised, known]);
}

/** Every part's path as they stand below each other, a group before what is in it. */
function pathsOf(parts: readonly Part[]): string[] {
  return parts.flatMap((part) => [part.path, ...(part.kind === "group" ? pathsOf(part.parts) : [])]);
}
