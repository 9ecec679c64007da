import { useFormContext } from "../context.js";
import type { FieldHandle } from "../useField.js";

/** Any of an enum's values, each with what it is for. */
export function Switches({ handle: { field, id, value, set, leave } }: { handle: FieldHandle }) {
  const { providerName } = useFormContext();
  const chosen = Array.isArray(value) ? (value as number[]) : [];
  const turn = (number: number, on: boolean) => {
    // In the order of the form, whatever the order of the clicks: the same choice is then the same configuration.
    const next = field.choices.map((choice) => choice.number).filter((one) => (one === number ? on : chosen.includes(one)));
    set(next.length > 0 ? next : undefined);
  };
  return (
    <div className="switches">
      {field.choices.map((choice) => {
        const own = `${id}-${choice.number}`;
        const on = chosen.includes(choice.number);
        return (
          <div key={choice.number} className="switch" data-limited={choice.limitation?.action}>
            <input
              id={own}
              type="checkbox"
              checked={on}
              disabled={choice.limitation?.action === "refused" && !on}
              aria-describedby={`${own}-help`}
              onChange={(event) => turn(choice.number, event.currentTarget.checked)}
              onBlur={leave}
            />
            <label htmlFor={own}>{choice.label}</label>
            <p id={`${own}-help`} className="field-help">
              {choice.help}
              {choice.limitation && (
                <span className={on ? "switch-limit switch-limit-on" : "switch-limit"}>
                  {providerName} {choice.limitation.action === "refused" ? "refuses" : "does not use"} it:{" "}
                  {choice.limitation.reason}.
                </span>
              )}
            </p>
          </div>
        );
      })}
    </div>
  );
}
