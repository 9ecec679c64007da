import { writeNumber } from "../../text.js";
import type { FieldHandle } from "../useField.js";
import { useNumberText } from "./useNumberText.js";

/** A number that is typed. The default stands in it in grey. */
export function NumberBox({ handle }: { handle: FieldHandle }) {
  const { text, type } = useNumberText(handle);
  const { field, id, invalid, describedBy, leave } = handle;
  return (
    <span className="number">
      <input
        id={id}
        className="input"
        // A box of type "number" eats what it can't read, and nobody could be told what is wrong with it.
        type="text"
        inputMode={field.type === "integer" ? "numeric" : "decimal"}
        autoComplete="off"
        spellCheck={false}
        value={text}
        placeholder={typeof field.default === "number" ? writeNumber(field.default) : "not set"}
        required={field.required}
        aria-invalid={invalid}
        aria-describedby={describedBy}
        onChange={(event) => type(event.currentTarget.value)}
        onBlur={leave}
      />
      {field.unit && <span className="number-unit">{field.unit}</span>}
    </span>
  );
}
