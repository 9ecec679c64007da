import { valueText } from "../../words.js";
import { useFormContext } from "../context.js";
import type { FieldHandle } from "../useField.js";

/** One value of an enum. Values that the provider refuses can't be chosen; the field says why. */
export function MenuChoice({ handle: { field, id, value, invalid, describedBy, set, leave } }: { handle: FieldHandle }) {
  const { providerName } = useFormContext();
  const unset =
    field.default !== undefined ? `${valueText(field, field.default)} (default)` : field.required ? "Choose…" : "Not set";
  return (
    <select
      id={id}
      className="input"
      value={typeof value === "number" ? String(value) : ""}
      required={field.required}
      aria-invalid={invalid}
      aria-describedby={describedBy}
      onChange={(event) => set(event.currentTarget.value === "" ? undefined : Number(event.currentTarget.value))}
      onBlur={leave}
    >
      <option value="">{unset}</option>
      {field.choices.map((choice) => (
        <option
          key={choice.number}
          value={choice.number}
          disabled={choice.limitation?.action === "refused" && choice.number !== value}
        >
          {choice.label}
          {choice.limitation ? ` (not with ${providerName})` : ""}
        </option>
      ))}
    </select>
  );
}
