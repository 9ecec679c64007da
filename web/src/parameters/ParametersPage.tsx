import "./parameters.css";
import { JobConfigurationSchema } from "@tunesmith/sdk";
import { useEffect, useMemo, useState } from "react";
import { describe, type FieldDescription, fieldsOf, groupsOf, type Part } from "../form/describe.js";
import { boundsText, valueText } from "../form/words.js";
import { count } from "../ui/words.js";

/** Every knob of a configuration, read from the same descriptors as the form. */
export default function ParametersPage() {
  const sections = useMemo(() => describe(JobConfigurationSchema), []);
  const [search, setSearch] = useState("");
  const shown = sections.map((section) => ({ section, fields: fieldsOf([section]).filter((field) => matches(field, search)) }));
  const found = shown.reduce((sum, { fields }) => sum + fields.length, 0);
  useAnchor();
  return (
    <>
      <div className="page-head">
        <div>
          <h1>Parameters</h1>
          <p className="soft">Everything a configuration can say: {count(fieldsOf(sections).length)} parameters.</p>
        </div>
        <input
          className="input parameter-search"
          type="search"
          placeholder="Search parameters"
          aria-label="Search parameters"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      </div>
      <p role="status" className={search && found > 0 ? "soft" : "visually-hidden"}>
        {search ? (found === 1 ? "1 parameter fits" : `${count(found)} parameters fit`) : ""}
      </p>
      {found === 0 && (
        <p className="panel empty">No parameter has “{search}” in its name, path or help. Try a shorter word, such as “rate”.</p>
      )}
      <div className="parameters">
        <nav className="parameter-nav" aria-label="Sections">
          <ul>
            {shown
              .filter(({ fields }) => fields.length > 0)
              .map(({ section }) => (
                <li key={section.path}>
                  <a href={`#${section.path}`}>{section.label}</a>
                </li>
              ))}
          </ul>
        </nav>
        <div className="stack">
          {shown
            .filter(({ fields }) => fields.length > 0)
            .map(({ section, fields }) => (
              <ParameterSection key={section.path} section={section} fields={fields} />
            ))}
        </div>
      </div>
    </>
  );
}

function ParameterSection({ section, fields }: { section: Part; fields: readonly FieldDescription[] }) {
  // A section that is a single field has that field's anchor, and needs none of its own.
  const own = section.kind === "group" ? section.path : `${section.path}-section`;
  return (
    <section className="panel parameter-section" id={own} aria-labelledby={`${section.path}-name`}>
      <h2 id={`${section.path}-name`}>{section.label}</h2>
      {fields.map((field) => (
        <Parameter key={field.path} field={field} inside={groupsAround(section, field)} />
      ))}
    </section>
  );
}

/** The groups between a section and a field, by name: "Credential" is there more than once. */
function groupsAround(section: Part, field: FieldDescription): string {
  const around = groupsOf([section]).filter((group) => group !== section && field.path.startsWith(`${group.path}.`));
  return around.map((group) => `${group.label} · `).join("");
}

function Parameter({ field, inside }: { field: FieldDescription; inside: string }) {
  const facts = [
    boundsText(field),
    field.default === undefined ? (field.required ? "needed" : "unset by default") : `default ${valueText(field, field.default)}`,
    field.repeated ? "any of" : "",
  ];
  return (
    <article className="parameter" id={field.path} tabIndex={-1} aria-labelledby={`${field.path}-label`}>
      <h3 id={`${field.path}-label`}>
        {inside && <span className="soft">{inside}</span>}
        {field.label}{" "}
        <a className="parameter-path" href={`#${field.path}`}>
          {field.path}
        </a>
      </h3>
      <p>{field.help}</p>
      <p className="soft parameter-facts">{facts.filter(Boolean).join(" · ")}</p>
      {field.choices.length > 0 && (
        <dl className="parameter-choices">
          {field.choices.map((choice) => (
            <div key={choice.value}>
              <dt>
                {choice.label} <code>{choice.value}</code>
              </dt>
              <dd className="soft">{choice.help}</dd>
            </div>
          ))}
        </dl>
      )}
    </article>
  );
}

/** Goes to the parameter that the address names: the page is drawn after the browser has looked for it. */
function useAnchor(): void {
  useEffect(() => {
    const go = () => {
      const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      place?.scrollIntoView({ block: "start" });
      place?.focus({ preventScroll: true });
    };
    go();
    window.addEventListener("hashchange", go);
    return () => window.removeEventListener("hashchange", go);
  }, []);
}

function matches(field: FieldDescription, search: string): boolean {
  const choices = field.choices.map((choice) => `${choice.label} ${choice.value}`).join(" ");
  const text = `${field.label} ${field.path} ${field.help} ${choices}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
