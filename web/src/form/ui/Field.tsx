import type { ComponentType } from "react";
import { Button } from "../../ui/Button.js";
import type { Control, FieldDescription } from "../describe.js";
import type { Finding } from "../judge.js";
import { boundsText, valueText } from "../words.js";
import { BaseModelPicker } from "./controls/BaseModelPicker.js";
import { DatasetPicker } from "./controls/DatasetPicker.js";
import { JsonText } from "./controls/JsonText.js";
import { Lines } from "./controls/Lines.js";
import { MenuChoice } from "./controls/MenuChoice.js";
import { NumberBox } from "./controls/NumberBox.js";
import { Slider } from "./controls/Slider.js";
import { Switches } from "./controls/Switches.js";
import { SwitchChoice } from "./controls/SwitchChoice.js";
import { TextBox } from "./controls/TextBox.js";
import { useFormContext } from "./context.js";
import { type FieldHandle, useField } from "./useField.js";

const CONTROLS: Record<Control, ComponentType<{ handle: FieldHandle }>> = {
  slider: Slider,
  number: NumberBox,
  text: TextBox,
  credential: TextBox,
  menu: MenuChoice,
  switches: Switches,
  switch: SwitchChoice,
  lines: Lines,
  "base model": BaseModelPicker,
  dataset: DatasetPicker,
  json: JsonText,
};
// These show many things, and their label names the group of them.
const GROUPED: ReadonlySet<Control> = new Set(["switches"]);
const WIDE: ReadonlySet<Control> = new Set(["switches", "json", "lines"]);

/** One knob: its label, its control, what it is for, and what is said of it. */
export function Field({ field }: { field: FieldDescription }) {
  const handle = useField(field);
  const Control = CONTROLS[field.control];
  const grouped = GROUPED.has(field.control);
  const className = `field ${WIDE.has(field.control) ? "field-wide" : ""} ${handle.invalid ? "field-invalid" : ""}`;
  const said = <Said id={`${handle.id}-said`} findings={handle.findings} />;
  if (grouped) {
    return (
      <fieldset className={className} id={handle.id} tabIndex={-1} aria-describedby={handle.describedBy}>
        <legend className="field-label">
          {field.label} <More field={field} />
        </legend>
        <Reset handle={handle} />
        <Help handle={handle} />
        <Control handle={handle} />
        {said}
      </fieldset>
    );
  }
  return (
    <div className={className}>
      <div className="field-head">
        <span className="field-name">
          <label className="field-label" id={`${handle.id}-label`} htmlFor={handle.id}>
            {field.label}
            {field.required && <span className="field-needed"> needed</span>}
          </label>
          <More field={field} />
        </span>
        <Reset handle={handle} />
      </div>
      <Control handle={handle} />
      <Help handle={handle} />
      {field.control === "menu" && <NotTaken field={field} />}
      {said}
    </div>
  );
}

/** Where the default counts, its name; where it does not, the way back to it. */
function Reset({ handle: { field, value, mistyped, set } }: { handle: FieldHandle }) {
  const unset = value === undefined && mistyped === undefined;
  const preset = field.default === undefined ? undefined : valueText(field, field.default);
  if (unset) {
    return preset !== undefined && field.control !== "menu" ? <span className="field-default">default {preset}</span> : null;
  }
  if (field.required) {
    return null;
  }
  const says = preset === undefined ? "clear" : `reset to ${preset}`;
  return (
    <Button look="plain" className="field-reset" onClick={() => set(undefined)} aria-label={`${field.label}: ${says}`}>
      {says}
    </Button>
  );
}

/** The way to the field's place in the reference of all knobs. */
function More({ field }: { field: FieldDescription }) {
  const { parametersUrl } = useFormContext();
  return (
    <a
      className="field-more"
      href={`${parametersUrl}#${field.path}`}
      target="_blank"
      rel="noreferrer"
      title={field.path}
      aria-label={`${field.label} in the reference of parameters`}
    >
      ?
    </a>
  );
}

function Help({ handle: { field, id, value } }: { handle: FieldHandle }) {
  const bounds = boundsText(field);
  // A chosen value explains itself better than the whole menu does.
  const shown = field.control === "menu" ? (value ?? field.default) : undefined;
  const chosen = field.choices.find(({ number }) => number === shown);
  return (
    <p className="field-help" id={`${id}-help`}>
      {chosen?.help && <span className="field-chosen">{chosen.help} </span>}
      {bounds && <span className="field-bounds">{bounds}. </span>}
      {field.help}
      {field.instead.length > 0 && ` Instead of ${field.instead.join(", ")}.`}
    </p>
  );
}

/** The values that a provider does not take, and why. */
function NotTaken({ field }: { field: FieldDescription }) {
  const { providerName } = useFormContext();
  const limited = field.choices.filter((choice) => choice.limitation);
  if (limited.length === 0) {
    return null;
  }
  return (
    <details className="reasons">
      <summary>
        Not with {providerName}: {limited.map((choice) => choice.label).join(", ")}
      </summary>
      <ul>
        {limited.map((choice) => (
          <li key={choice.number}>
            <strong>{choice.label}</strong>: {choice.limitation!.reason}.
          </li>
        ))}
      </ul>
    </details>
  );
}

const MARKS: Record<Finding["severity"], string> = { error: "✕", warning: "!", note: "i" };
const SPOKEN: Record<Finding["severity"], string> = { error: "Error", warning: "Warning", note: "Note" };

/** Errors and warnings at their field. The place is always there, so that what appears in it is said. */
export function Said({ id, findings }: { id: string; findings: readonly Finding[] }) {
  return (
    <div id={id} className="field-said" aria-live="polite">
      {findings.map((finding) => (
        <p key={`${finding.fieldPath} ${finding.message}`} className={`said said-${finding.severity}`}>
          <span className="said-mark" aria-hidden="true">
            {MARKS[finding.severity]}
          </span>
          <span>
            <span className="visually-hidden">{SPOKEN[finding.severity]}: </span>
            {finding.message}
          </span>
        </p>
      ))}
    </div>
  );
}
