import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Fix } from "@tunesmith/sdk/gen/tunesmith/preflight/v1/finding";
import { type FieldLowering, LoweringAction } from "@tunesmith/sdk/gen/tunesmith/provider/v1/lowering";
import { validate } from "@tunesmith/sdk/validation";
import { type FieldDescription, fieldsOf, type Part } from "./describe.js";
import { rangeText, takes } from "./range.js";
import { read, type Value } from "./state.js";
import { showNumber } from "./text.js";

/** Something to know about a configuration. With an error it can't be sent; the rest is advice. */
export interface Finding {
  severity: "error" | "warning" | "note";
  /** As the server would name it: `optimizer.learning_rate`, `optimizations.enabled[1]`; empty for the whole. */
  fieldPath: string;
  message: string;
  /** What a program can do about it. */
  fix?: Fix;
}

/** A text that could not be read as its field's value. */
export interface TypedFault {
  text: string;
  fault: string;
}

/** What the rules say, in the server's words. */
export function violations(schema: DescMessage, configuration: Message): Finding[] {
  return validate(schema, configuration).map(({ fieldPath, message }) => ({ severity: "error", fieldPath, message }));
}

/** What the provider of a limited description says, and what is unusual. `strict` makes errors of what it would drop. */
export function advice(
  schema: DescMessage,
  configuration: Message,
  parts: readonly Part[],
  providerName: string,
  strict: boolean,
): Finding[] {
  return fieldsOf(parts).flatMap((field) => {
    const value = read(schema, configuration, field.path);
    return value === undefined ? [] : [...limitations(field, value, strict), ...unusual(field, value, providerName)];
  });
}

/** What became of fields on their way to a provider, as findings: only what does not act. */
export function loweringFindings(lowering: readonly FieldLowering[], strict: boolean): Finding[] {
  return lowering.flatMap(({ fieldPath, action, detail }): Finding[] => {
    switch (action) {
      case LoweringAction.REFUSED:
        return [{ severity: "error", fieldPath, message: detail }];
      case LoweringAction.DROPPED:
        return [{ severity: strict ? "error" : "note", fieldPath, message: detail }];
      default:
        return [];
    }
  });
}

/** Texts that are no values, as findings. */
export function faultFindings(faults: ReadonlyMap<string, TypedFault>): Finding[] {
  return [...faults].map(([fieldPath, { fault }]) => ({ severity: "error", fieldPath, message: fault }));
}

/** All findings without what is said twice of one field; the first to say it counts. */
export function merge(...lists: readonly (readonly Finding[])[]): Finding[] {
  const seen = new Map<string, Finding>();
  for (const finding of lists.flat()) {
    const key = `${finding.fieldPath} ${finding.message}`;
    if (!seen.has(key)) {
      seen.set(key, finding);
    }
  }
  return [...seen.values()];
}

/** The part of the form that a finding's path belongs to: the deepest one that is there. Empty: the whole form. */
export function placeOf(fieldPath: string, known: ReadonlySet<string>): string {
  const names = fieldPath.replace(/\[[^\]]*\]/g, "").split(".");
  while (names.length > 0) {
    const path = names.join(".");
    if (known.has(path)) {
      return path;
    }
    names.pop();
  }
  return "";
}

function limitations(field: FieldDescription, value: Value, strict: boolean): Finding[] {
  const severity = (action: "dropped" | "refused") => (action === "refused" || strict ? "error" : "note");
  if (field.limitation) {
    return [{ severity: severity(field.limitation.action), fieldPath: field.path, message: field.limitation.reason }];
  }
  const chosen = Array.isArray(value) ? value : [value];
  return chosen.flatMap((one, index): Finding[] => {
    const choice = field.choices.find(({ number }) => number === one);
    if (!choice?.limitation) {
      return [];
    }
    const { action, reason } = choice.limitation;
    const path = field.repeated ? `${field.path}[${index}]` : field.path;
    // The server names the item of a list in these words.
    return [
      {
        severity: severity(action),
        fieldPath: path,
        message: field.repeated ? `${shortName(field, choice.value)}: ${reason}` : reason,
      },
    ];
  });
}

function unusual(field: FieldDescription, value: Value, providerName: string): Finding[] {
  if (typeof value !== "number" || field.type === "choice") {
    return [];
  }
  const unit = field.unit ? ` ${field.unit}` : "";
  if (field.range && !takes(field.range, value)) {
    // Outside of the configuration's own range the rules have said so already.
    return field.narrowed
      ? [
          {
            severity: "error",
            fieldPath: field.path,
            message: `${providerName} takes ${rangeText(field.range)}${unit}; choose a value in between`,
          },
        ]
      : [];
  }
  if (field.recommended && !takes(field.recommended, value)) {
    const message = `${showNumber(value)} is allowed and unusual: ${rangeText(field.recommended)}${unit} mostly works best`;
    // Whether it has to be confirmed depends on the model; the server decides.
    return [{ severity: "note", fieldPath: field.path, message }];
  }
  return [];
}

function shortName(field: FieldDescription, value: string): string {
  const names = field.desc.enum?.values.map((one) => one.name) ?? [];
  let length = 0;
  while (names.every((name) => name[length] === names[0]?.[length])) {
    length += 1;
  }
  return value.slice(value.slice(0, length).lastIndexOf("_") + 1);
}
