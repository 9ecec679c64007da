import { type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { field as fieldRules, type FieldRules, message as messageRules } from "@tunesmith/sdk/gen/buf/validate/validate";
import type { Range } from "./range.js";

/** What the rules on a field say that a form shows before anybody breaks them. */
export interface ShownRules {
  required: boolean;
  range?: Range;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  /** Whether each item of a list may be there only once. */
  unique: boolean;
}

/** Rules that need no judgement, read from a field's protovalidate option. */
export function rulesOf(field: DescField): ShownRules {
  if (!hasOption(field, fieldRules)) {
    return { required: false, unique: false };
  }
  const rules = getOption(field, fieldRules);
  const repeated = rules.type.case === "repeated" ? rules.type.value : undefined;
  const inner = repeated ? repeated.items : rules;
  const text = inner?.type.case === "string" ? inner.type.value : undefined;
  return {
    required: rules.required,
    range: inner && boundsOf(inner),
    // An unset rule of a proto2 message reads as its zero value.
    pattern: text?.pattern || undefined,
    minLength: Number(text?.minLen ?? 0) || undefined,
    maxLength: Number(text?.maxLen ?? 0) || undefined,
    maxItems: Number(repeated?.maxItems ?? 0) || undefined,
    unique: repeated?.unique ?? false,
  };
}

/** Whether a message has rules that look at more than one of its fields. */
export function hasMessageRules(message: DescMessage): boolean {
  return hasOption(message, messageRules);
}

function boundsOf(rules: FieldRules): Range | undefined {
  const bounds = rules.type.value;
  if (!bounds || !("greaterThan" in bounds)) {
    return undefined;
  }
  const { greaterThan: lower, lessThan: upper } = bounds;
  const [min, max] = [numberOf(lower.value), numberOf(upper.value)];
  if (min === undefined && max === undefined) {
    return undefined;
  }
  return { min, max, minExclusive: lower.case === "gt", maxExclusive: upper.case === "lt" };
}

/** Dates have bounds too, and no slider. */
function numberOf(bound: unknown): number | undefined {
  return typeof bound === "number" || typeof bound === "bigint" ? Number(bound) : undefined;
}
