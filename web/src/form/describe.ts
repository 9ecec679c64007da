import { type DescEnum, type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import {
  choice as choiceOption,
  knob as knobOption,
  type KnobValue,
  Scale,
  Widget,
} from "@tunesmith/sdk/gen/tunesmith/options/v1/field";
import type { Range } from "./range.js";
import { rulesOf, type ShownRules } from "./rules.js";

/** What a field holds. `json` is everything that is written as JSON: a Struct, a map, a list of messages. */
export type FieldType = "integer" | "number" | "text" | "switch" | "choice" | "json";

/** How a field is drawn. */
export type Control =
  "slider" | "number" | "text" | "menu" | "switches" | "switch" | "lines" | "base model" | "dataset" | "credential" | "json";

/** One value of an enum. */
export interface ChoiceDescription {
  number: number;
  /** As configurations have it: `TRAINING_METHOD_LORA`. */
  value: string;
  label: string;
  help: string;
  limitation?: FieldLimitation;
}

/** Why a provider can't act on a field, or on one value of it. */
export interface FieldLimitation {
  action: "dropped" | "refused";
  reason: string;
}

/** What a single field and a group of them have in common. */
interface Described {
  /** Path in the configuration, as the protos have it: `method.lora_config.rank`. */
  path: string;
  desc: DescField;
  label: string;
  help: string;
  required: boolean;
  /** The other members of its oneof: setting this one unsets them. */
  instead: string[];
}

export interface FieldDescription extends Described, ShownRules {
  kind: "field";
  type: FieldType;
  control: Control;
  repeated: boolean;
  unit: string;
  scale: Scale;
  recommended?: Range;
  /** What the server fills in: a number, a text, a flag, or the number of an enum's value. */
  default?: number | string | boolean;
  choices: ChoiceDescription[];
  limitation?: FieldLimitation;
  /** Whether a provider's range is inside the configuration's own. */
  narrowed?: boolean;
}

export interface GroupDescription extends Described {
  kind: "group";
  /** Being there is itself a choice: filling in defaults never adds it. */
  addedByChoice: boolean;
  parts: Part[];
}

export type Part = FieldDescription | GroupDescription;

/** Every section of a configuration with its fields, in the order of the form. */
export function describe(schema: DescMessage): Part[] {
  return partsOf(schema, "", []);
}

/** The fields below some parts, in the order of the form. */
export function fieldsOf(parts: readonly Part[]): FieldDescription[] {
  return parts.flatMap((part) => (part.kind === "field" ? [part] : fieldsOf(part.parts)));
}

/** The groups below some parts, outer ones first. */
export function groupsOf(parts: readonly Part[]): GroupDescription[] {
  return parts.flatMap((part) => (part.kind === "group" ? [part, ...groupsOf(part.parts)] : []));
}

function partsOf(message: DescMessage, prefix: string, above: string[]): Part[] {
  const inside = [...above, message.typeName];
  return [...message.fields]
    .sort((one, other) => one.number - other.number)
    .map((field) => partOf(field, `${prefix}${field.name}`, inside));
}

function partOf(field: DescField, path: string, above: string[]): Part {
  const knob = getOption(field, knobOption);
  const rules = rulesOf(field);
  const described = {
    path,
    desc: field,
    label: knob.label || readable(field.name),
    help: knob.help,
    instead: (field.oneof?.fields ?? []).filter((other) => other !== field).map((other) => path.replace(/[^.]+$/, other.name)),
  };
  // Free keys have no fields of their own, and a message that holds itself has no last one.
  const opened =
    field.fieldKind === "message" &&
    !field.message.typeName.startsWith("google.protobuf.") &&
    !above.includes(field.message.typeName);
  if (opened) {
    const parts = partsOf(field.message, `${path}.`, above);
    // Only one member of a oneof can be there, so being there is a choice.
    const addedByChoice = knob.addedByChoice || described.instead.length > 0;
    return { kind: "group", ...described, required: rules.required, addedByChoice, parts };
  }
  const type = typeOf(field);
  const choices = field.enum ? choicesOf(field.enum) : [];
  return {
    kind: "field",
    ...described,
    ...rules,
    type,
    control: controlOf(field, type, knob.widget, rules.range),
    repeated: field.fieldKind === "list",
    unit: knob.unit,
    scale: knob.scale || Scale.LINEAR,
    recommended: knob.recommended && { min: knob.recommended.min, max: knob.recommended.max },
    default: knob.defaultValue && defaultOf(field, knob.defaultValue),
    choices,
  };
}

function typeOf(field: DescField): FieldType {
  if (field.fieldKind === "map" || field.message) {
    return "json";
  }
  if (field.enum) {
    return "choice";
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return "text";
    case ScalarType.BOOL:
      return "switch";
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return "number";
    case ScalarType.BYTES:
      return "json";
    default:
      return "integer";
  }
}

const CONTROLS: Partial<Record<Widget, Control>> = {
  [Widget.TEXT]: "text",
  [Widget.BASE_MODEL]: "base model",
  [Widget.DATASET]: "dataset",
  [Widget.CREDENTIAL]: "credential",
};

function controlOf(field: DescField, type: FieldType, widget: Widget, range: Range | undefined): Control {
  if (type === "json") {
    return "json";
  }
  if (type === "choice") {
    return field.fieldKind === "list" ? "switches" : "menu";
  }
  if (field.fieldKind === "list") {
    return "lines";
  }
  if (type === "switch") {
    return "switch";
  }
  if (type === "text") {
    return CONTROLS[widget] ?? "text";
  }
  const ends = range?.min !== undefined && range.max !== undefined;
  return ends && widget === Widget.SLIDER ? "slider" : "number";
}

function choicesOf(type: DescEnum): ChoiceDescription[] {
  return type.values
    .filter((value) => value.number !== 0)
    .map((value) => {
      const choice = hasOption(value, choiceOption) ? getOption(value, choiceOption) : undefined;
      return {
        number: value.number,
        value: value.name,
        label: choice?.label || readable(value.localName),
        help: choice?.help ?? "",
      };
    });
}

function defaultOf(field: DescField, value: KnobValue): number | string | boolean | undefined {
  return field.enum ? field.enum.values.find((one) => one.name === value.kind.value)?.number : value.kind.value;
}

/** `gpu_type` and `GPU_TYPE` as people write: `Gpu type`. */
function readable(name: string): string {
  const words = name.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
