import { LoweringAction } from "@tunesmith/sdk/gen/tunesmith/provider/v1/lowering";
import type { Provider } from "@tunesmith/sdk/gen/tunesmith/provider/v1/provider";
import { type ChoiceDescription, type FieldDescription, type FieldLimitation, fieldsOf, type Part } from "./describe.js";
import { narrow, type Range } from "./range.js";

/** The description with what a provider can and can't act on. Without a provider, it is as it was. */
export function limit(parts: readonly Part[], provider: Provider | undefined): Part[] {
  const limits = limitsOf(provider);
  const limitPart = (part: Part): Part =>
    part.kind === "group" ? { ...part, parts: part.parts.map(limitPart) } : limitField(part, limits);
  return parts.map(limitPart);
}

/** Whether nothing below a part acts, whatever is set there. */
export function isUnused(part: Part): boolean {
  const fields = fieldsOf([part]);
  return fields.length > 0 && fields.every((field) => field.limitation);
}

interface Limits {
  /** By field path, or by field path and value with a space between. */
  reasons: Map<string, FieldLimitation>;
  ranges: Map<string, Range>;
}

function limitsOf(provider: Provider | undefined): Limits {
  const reasons = new Map<string, FieldLimitation>();
  for (const { fieldPath, value, action, reason } of provider?.capabilities?.limitations ?? []) {
    reasons.set(`${fieldPath} ${value}`, { action: action === LoweringAction.REFUSED ? "refused" : "dropped", reason });
  }
  const ranges = new Map<string, Range>();
  for (const { fieldPath, range } of provider?.capabilities?.ranges ?? []) {
    ranges.set(fieldPath, range ?? {});
  }
  return { reasons, ranges };
}

function limitField(field: FieldDescription, limits: Limits): FieldDescription {
  const limitChoice = (choice: ChoiceDescription): ChoiceDescription => ({
    ...choice,
    limitation: limits.reasons.get(`${field.path} ${choice.value}`),
  });
  return {
    ...field,
    range: narrow(field.range, limits.ranges.get(field.path)),
    narrowed: limits.ranges.has(field.path),
    choices: field.choices.map(limitChoice),
    limitation: limits.reasons.get(`${field.path} `),
  };
}
