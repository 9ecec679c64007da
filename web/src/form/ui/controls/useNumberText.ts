import { useState } from "react";
import { parseNumber, writeNumber } from "../../text.js";
import type { FieldHandle } from "../useField.js";

/** The text of a number box: as it was typed while it means the value, the value in short otherwise. */
export function useNumberText({ field, value, mistyped, set, mistype }: FieldHandle): { text: string; type(text: string): void } {
  const [typed, setTyped] = useState<{ text: string; value: number | undefined }>({ text: "", value: undefined });
  const number = typeof value === "number" ? value : undefined;
  const written = number === undefined ? "" : writeNumber(number);
  return {
    text: mistyped ?? (typed.value === number && typed.text.trim() !== "" ? typed.text : written),
    type: (text) => {
      const read = parseNumber(text, field.type === "integer");
      setTyped({ text, value: read.value });
      if (read.fault) {
        mistype(text, read.fault);
      } else {
        set(read.value);
      }
    },
  };
}
