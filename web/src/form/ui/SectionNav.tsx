import { fieldsOf } from "../describe.js";
import { isUnused } from "../limits.js";
import { changedFields } from "../state.js";
import { useFormContext } from "./context.js";
import { errorsIn } from "./Section.js";

/** The sections beside the form: what is wrong and what was set in each. */
export function SectionNav({ onGo }: { onGo: (path: string) => void }) {
  const form = useFormContext();
  const changed = new Set(changedFields(form.schema, form.state.configuration));
  return (
    <nav className="section-nav" aria-label="Sections of the configuration">
      <ol>
        {form.parts.map((section) => {
          const errors = errorsIn(form, section);
          const set = fieldsOf([section]).filter((field) => changed.has(field.path)).length;
          return (
            <li key={section.path}>
              <button type="button" data-unused={isUnused(section) || undefined} onClick={() => onGo(section.path)}>
                <span>{section.label}</span>
                {errors > 0 ? (
                  <span className="section-errors">
                    {errors}
                    <span className="visually-hidden"> to put right</span>
                  </span>
                ) : (
                  set > 0 && (
                    <span className="section-set">
                      {set}
                      <span className="visually-hidden"> set</span>
                    </span>
                  )
                )}
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
