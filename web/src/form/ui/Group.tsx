import type { GroupDescription, Part } from "../describe.js";
import { isUnused } from "../limits.js";
import { isSet } from "../state.js";
import { controlId, useFormContext } from "./context.js";
import { Field, Said } from "./Field.js";

/** Fields and groups, those that don't act folded away by name. */
export function Parts({ parts }: { parts: readonly Part[] }) {
  const { schema, state, providerName } = useFormContext();
  const shown = parts.filter((part) => {
    const presence = state.presence.get(part.path)?.state;
    return isSet(schema, state.configuration, part.path) || (presence !== "hidden" && presence !== "waiting");
  });
  const used = shown.filter((part) => !isUnused(part));
  const unused = shown.filter(isUnused);
  // What is set and does not act is not folded away from whoever set it.
  const set = unused.some((part) => isSet(schema, state.configuration, part.path));
  return (
    <>
      {used.length > 0 && (
        <div className="fields">
          {used.map((part) => (
            <PartOf key={part.path} part={part} />
          ))}
        </div>
      )}
      {unused.length > 0 && (
        <details className="unused" open={set || undefined}>
          <summary>
            Not used by {providerName}: {unused.map((part) => part.label).join(", ")}
          </summary>
          <ul className="unused-reasons">
            {reasonsOf(unused).map(([reason, labels]) => (
              <li key={reason}>
                <strong>{labels.join(", ")}</strong>: {reason}.
              </li>
            ))}
          </ul>
          <div className="fields">
            {unused.map((part) => (
              <PartOf key={part.path} part={part} />
            ))}
          </div>
        </details>
      )}
    </>
  );
}

function PartOf({ part }: { part: Part }) {
  return part.kind === "field" ? <Field field={part} /> : <Group group={part} />;
}

/** Fields that belong together. One that is there by choice has a switch, unless the rules decide. */
function Group({ group }: { group: GroupDescription }) {
  const { schema, state, edit, findings, prefix } = useFormContext();
  const id = controlId(prefix, group.path);
  const there = isSet(schema, state.configuration, group.path);
  const free = group.addedByChoice && state.presence.get(group.path)?.state !== "required";
  const said = <Said id={`${id}-said`} findings={findings.get(group.path) ?? []} />;
  return (
    <fieldset className="group" id={id} tabIndex={-1} aria-describedby={`${id}-said`}>
      <legend className={free ? "visually-hidden" : "group-name"}>{group.label}</legend>
      {free && (
        <label className="group-switch">
          <input
            type="checkbox"
            checked={there}
            onChange={(event) => edit({ kind: event.currentTarget.checked ? "add" : "remove", path: group.path })}
          />
          {group.label}
        </label>
      )}
      {group.instead.length > 0 && <p className="field-help">Instead of {group.instead.join(", ")}.</p>}
      {group.help && <p className="field-help">{group.help}</p>}
      {said}
      {(there || !group.addedByChoice) && <Parts parts={group.parts} />}
    </fieldset>
  );
}

/** Labels by reason, since a provider often has one reason for several fields. */
function reasonsOf(parts: readonly Part[]): [reason: string, labels: string[]][] {
  const reasons = new Map<string, string[]>();
  for (const part of parts) {
    const reason = part.kind === "field" ? part.limitation!.reason : firstReason(part);
    reasons.set(reason, [...(reasons.get(reason) ?? []), part.label]);
  }
  return [...reasons];
}

function firstReason(group: GroupDescription): string {
  const [first] = group.parts;
  return first!.kind === "field" ? first!.limitation!.reason : firstReason(first as GroupDescription);
}
