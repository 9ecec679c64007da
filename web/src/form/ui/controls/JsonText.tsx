import { useState } from "react";
import type { Value } from "../../state.js";
import type { FieldHandle } from "../useField.js";

/** Free keys and values, as JSON. Nothing in it: unset. */
export function JsonText({
  handle: { field, id, value, mistyped, invalid, describedBy, set, mistype, leave },
}: {
  handle: FieldHandle;
}) {
  const [typed, setTyped] = useState<{ text: string; json: string }>({ text: "", json: "" });
  const json = value === undefined ? "" : JSON.stringify(value);
  const type = (text: string) => {
    if (text.trim() === "") {
      setTyped({ text, json: "" });
      set(undefined);
      return;
    }
    try {
      const read = JSON.parse(text) as Value;
      const fits = field.repeated ? Array.isArray(read) : typeof read === "object" && read !== null && !Array.isArray(read);
      if (!fits) {
        mistype(text, field.repeated ? "write a JSON list, such as […]" : 'write a JSON object, such as {"key": 1}');
        return;
      }
      set(read);
      setTyped({ text, json: JSON.stringify(read) });
    } catch (error) {
      mistype(text, `this is not JSON: ${(error as Error).message}`);
    }
  };
  return (
    <textarea
      id={id}
      className="input json-text"
      rows={4}
      spellCheck={false}
      placeholder={field.repeated ? "[…]" : '{"key": {"setting": 1}}'}
      value={mistyped ?? (typed.json === json ? typed.text : JSON.stringify(value, null, 2))}
      required={field.required}
      aria-invalid={invalid}
      aria-describedby={describedBy}
      onChange={(event) => type(event.currentTarget.value)}
      onBlur={leave}
    />
  );
}
