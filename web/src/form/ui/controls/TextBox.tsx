import type { FieldHandle } from "../useField.js";

/** A line of text. Nothing in it: unset. */
export function TextBox({ handle: { field, id, value, invalid, describedBy, set, leave } }: { handle: FieldHandle }) {
  return (
    <input
      id={id}
      className="input"
      type="text"
      autoComplete="off"
      autoCapitalize="off"
      spellCheck={false}
      value={typeof value === "string" ? value : ""}
      placeholder={typeof field.default === "string" ? field.default : "not set"}
      required={field.required}
      aria-invalid={invalid}
      aria-describedby={describedBy}
      onChange={(event) => set(event.currentTarget.value === "" ? undefined : event.currentTarget.value)}
      onBlur={leave}
    />
  );
}
