import type { FieldHandle } from "../useField.js";

/** On or off. Until somebody turns it, it shows the default. */
export function SwitchChoice({ handle: { field, id, value, invalid, describedBy, set, leave } }: { handle: FieldHandle }) {
  const shown = typeof value === "boolean" ? value : field.default === true;
  return (
    <input
      id={id}
      className="switch-box"
      type="checkbox"
      checked={shown}
      data-unset={value === undefined || undefined}
      aria-invalid={invalid}
      aria-describedby={describedBy}
      onChange={(event) => set(event.currentTarget.checked)}
      onBlur={leave}
    />
  );
}
