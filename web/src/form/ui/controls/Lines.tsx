import { useState } from "react";
import { parseNumber } from "../../text.js";
import type { FieldHandle } from "../useField.js";

/** A list of texts or numbers, one a line. */
export function Lines({
  handle: { field, id, value, mistyped, invalid, describedBy, set, mistype, leave },
}: {
  handle: FieldHandle;
}) {
  const items = Array.isArray(value) ? value : [];
  const written = items.join("\n");
  const [typed, setTyped] = useState("");
  const linesOf = (text: string) => text.split("\n").filter((line) => line.trim() !== "");
  const type = (text: string) => {
    setTyped(text);
    const lines = linesOf(text);
    const numbers = field.type === "text" ? [] : lines.map((line) => parseNumber(line, field.type === "integer"));
    const fault = numbers.find((number) => number.fault)?.fault;
    if (fault) {
      mistype(text, fault);
    } else {
      const read = field.type === "text" ? lines : numbers.map((number) => number.value!);
      set(read.length > 0 ? read : undefined);
    }
  };
  return (
    <textarea
      id={id}
      className="input"
      rows={3}
      spellCheck={false}
      placeholder="one a line"
      value={mistyped ?? (linesOf(typed).join("\n") === written ? typed : written)}
      aria-invalid={invalid}
      aria-describedby={describedBy}
      onChange={(event) => type(event.currentTarget.value)}
      onBlur={leave}
    />
  );
}
