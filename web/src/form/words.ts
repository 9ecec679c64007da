// What a form says of a field beside its own help.
import type { FieldDescription } from "./describe.js";
import { rangeText } from "./range.js";
import type { Value } from "./state.js";
import { showNumber } from "./text.js";

/** `1 to 256, usually 8 to 64`; for texts their length. */
export function boundsText(field: FieldDescription): string {
  const unit = field.unit ? ` ${field.unit}` : "";
  const range = rangeText(field.range);
  const usual = rangeText(field.recommended);
  if (range) {
    return `${range}${unit}${usual && usual !== range ? `, usually ${usual}` : ""}`;
  }
  // Nobody types the name of something that is picked.
  const written = field.control === "text" || field.control === "lines";
  return written && field.maxLength ? `at most ${showNumber(field.maxLength)} characters` : field.unit;
}

/** A value as a sentence has it: a choice by its label, a number with its thousands. */
export function valueText(field: FieldDescription, value: Value): string {
  if (Array.isArray(value)) {
    return value.map((one) => valueText(field, one)).join(", ");
  }
  if (typeof value === "number") {
    const choice = field.type === "choice" ? field.choices.find(({ number }) => number === value) : undefined;
    return choice?.label ?? showNumber(value);
  }
  if (typeof value === "boolean") {
    return value ? "on" : "off";
  }
  return typeof value === "object" ? JSON.stringify(value) : (value ?? "");
}
