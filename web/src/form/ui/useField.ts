import { useState } from "react";
import type { FieldDescription } from "../describe.js";
import type { Finding } from "../judge.js";
import { read, type Value } from "../state.js";
import { controlId, useFormContext } from "./context.js";

/** A field as its control needs it. */
export interface FieldHandle {
  field: FieldDescription;
  id: string;
  /** Undefined: unset, and the default counts. */
  value: Value;
  /** What was typed if it is no value. */
  mistyped: string | undefined;
  /** Errors and warnings at this field. */
  findings: readonly Finding[];
  invalid: boolean;
  /** Ids of what describes the control. */
  describedBy: string;
  set(value: Value): void;
  mistype(text: string, fault: string): void;
  /** Somebody was here: what is missing is said from now on. */
  leave(): void;
}

/** What a field holds, what is said of it, and how to change it. */
export function useField(field: FieldDescription): FieldHandle {
  const { schema, state, findings, edit, attempted, prefix } = useFormContext();
  const [left, setLeft] = useState(false);
  const value = read(schema, state.configuration, field.path);
  const mistyped = state.faults.get(field.path)?.text;
  const missing = field.required && value === undefined && mistyped === undefined;
  const said = missing && !attempted && !left ? [] : (findings.get(field.path) ?? []);
  const id = controlId(prefix, field.path);
  return {
    field,
    id,
    value,
    mistyped,
    findings: said,
    invalid: said.some(({ severity }) => severity === "error"),
    describedBy: `${id}-help ${id}-said`,
    set: (next) => edit({ kind: "set", path: field.path, value: next }),
    mistype: (text, fault) => edit({ kind: "mistype", path: field.path, text, fault }),
    leave: () => setLeft(true),
  };
}
