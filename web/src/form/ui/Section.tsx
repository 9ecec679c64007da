import { useEffect, useState } from "react";
import { type FieldDescription, fieldsOf, type Part } from "../describe.js";
import { isUnused } from "../limits.js";
import { changedFields, read } from "../state.js";
import { valueText } from "../words.js";
import { controlId, type FormContext, useFormContext } from "./context.js";
import { Said } from "./Field.js";
import { Parts } from "./Group.js";

/** How many values a folded section names. */
const MOST_NAMED = 5;

/** One section. It starts folded if nothing in it is needed, and then says in a line what it holds. */
export function Section({ section, opened }: { section: Part; opened: number }) {
  const form = useFormContext();
  const needed = fieldsOf([section]).some((field) => field.required && isShown(form, field));
  const errors = errorsIn(form, section);
  const [open, setOpen] = useState(needed && section.kind === "group" && section.required);
  useEffect(() => {
    if (opened > 0) {
      setOpen(true);
    }
  }, [opened]);
  const id = sectionId(form.prefix, section.path);
  // A group's own sentence stands above its fields; a field that is a section by itself says its own.
  const said = section.kind === "group" ? (form.findings.get(section.path) ?? []) : [];
  return (
    <section className="section panel" id={id} aria-labelledby={`${id}-name`} tabIndex={-1}>
      <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary className="section-head">
          <h2 id={`${id}-name`}>{section.label}</h2>
          <span className="section-line">{open ? "" : summary(form, section)}</span>
          {errors > 0 && <span className="badge badge-bad">{errors === 1 ? "1 to put right" : `${errors} to put right`}</span>}
        </summary>
        <div className="section-body">
          {section.kind === "group" && section.help && <p className="field-help">{section.help}</p>}
          <Said id={`${id}-said`} findings={said} />
          <Parts parts={section.kind === "group" ? section.parts : [section]} />
        </div>
      </details>
    </section>
  );
}

/** The id of a section; the side navigation leads there. */
export function sectionId(prefix: string, path: string): string {
  return `${controlId(prefix, path)}-section`;
}

/** How many errors a section has, without what is only still missing. */
export function errorsIn({ findings, schema, state, attempted }: FormContext, section: Part): number {
  const missing = new Set(
    fieldsOf([section])
      .filter(
        (field) => field.required && read(schema, state.configuration, field.path) === undefined && !state.faults.has(field.path),
      )
      .map((field) => field.path),
  );
  let errors = 0;
  for (const [path, found] of findings) {
    if ((path === section.path || path.startsWith(`${section.path}.`)) && (attempted || !missing.has(path))) {
      errors += found.filter(({ severity }) => severity === "error").length;
    }
  }
  return errors;
}

/** What differs from the defaults, or what the defaults are. */
function summary(form: FormContext, section: Part): string {
  const { schema, state, providerName } = form;
  const changed = new Set(changedFields(schema, state.configuration));
  const fields = fieldsOf([section]);
  const own = fields.filter((field) => changed.has(field.path));
  if (own.length > 0) {
    return named(own, (field) => valueText(field, read(schema, state.configuration, field.path)));
  }
  if (isUnused(section)) {
    return `Not used by ${providerName}`;
  }
  const preset = fields.filter((field) => field.default !== undefined && isShown(form, field));
  return preset.length > 0 ? `Defaults: ${named(preset, (field) => valueText(field, field.default))}` : "Nothing set";
}

function named(fields: readonly FieldDescription[], valueOf: (field: FieldDescription) => string): string {
  const words = fields.slice(0, MOST_NAMED).map((field) => `${field.label} ${valueOf(field)}`);
  return `${words.join(" · ")}${fields.length > MOST_NAMED ? ` · ${fields.length - MOST_NAMED} more` : ""}`;
}

/** Whether a field is on the form as it now is. */
function isShown({ state }: FormContext, field: FieldDescription): boolean {
  return ![...state.presence].some(([path, { state: presence }]) => {
    const out = presence === "hidden" || presence === "waiting";
    return out && (field.path === path || field.path.startsWith(`${path}.`));
  });
}
