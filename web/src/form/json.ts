import { type DescEnum, type DescMessage, fromJson, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { nearest } from "./names.js";

/** A configuration that was read, or everything that is wrong with what was pasted. */
export type ReadConfiguration<M> = { configuration: M; faults?: undefined } | { configuration?: undefined; faults: string[] };

/** A configuration as the server's JSON has it, with the protos' names. */
export function toData<Desc extends DescMessage>(schema: Desc, configuration: MessageShape<Desc>): { [key: string]: JsonValue } {
  return toJson(schema, configuration, { useProtoFieldName: true }) as { [key: string]: JsonValue };
}

/** A configuration as JSON text. */
export function writeJson<Desc extends DescMessage>(schema: Desc, configuration: MessageShape<Desc>): string {
  return JSON.stringify(toData(schema, configuration), null, 2);
}

/** Reads JSON text. Keys and values that the protos don't know are refused by name, as the server does. */
export function readJson<Desc extends DescMessage>(schema: Desc, text: string): ReadConfiguration<MessageShape<Desc>> {
  let data: JsonValue;
  try {
    data = JSON.parse(text) as JsonValue;
  } catch (error) {
    return { faults: [`This is not JSON: ${(error as Error).message}. Check quotes, commas and brackets near there.`] };
  }
  return readData(schema, data);
}

/** Reads JSON data, as `readJson` does. */
export function readData<Desc extends DescMessage>(schema: Desc, data: JsonValue): ReadConfiguration<MessageShape<Desc>> {
  if (!isObject(data)) {
    return { faults: [`A configuration is a JSON object, such as {"model": {…}, "datasets": {…}}.`] };
  }
  const faults = unknownNames(schema, data, "");
  if (faults.length > 0) {
    return { faults };
  }
  try {
    return { configuration: fromJson(schema, data) };
  } catch (error) {
    return { faults: [`${plainly((error as Error).message)}. Put a value of that type there.`] };
  }
}

function unknownNames(message: DescMessage, data: { [key: string]: JsonValue }, prefix: string): string[] {
  return Object.entries(data).flatMap(([key, value]) => {
    const path = `${prefix}${key}`;
    const field = message.fields.find((one) => one.name === key || one.jsonName === key);
    if (!field) {
      const names = message.fields.map((one) => one.name);
      const meant = nearest(key, names);
      return [`${path} is unknown; ${meant ? `did you mean ${prefix}${meant}?` : `known here: ${names.join(", ")}`}`];
    }
    if (field.fieldKind === "message" && isObject(value) && !field.message.typeName.startsWith("google.protobuf.")) {
      return unknownNames(field.message, value, `${path}.`);
    }
    const type = field.enum;
    return type ? (Array.isArray(value) ? value : [value]).flatMap((one) => unknownValue(type, one, path)) : [];
  });
}

function unknownValue(type: DescEnum, value: JsonValue, path: string): string[] {
  const names = type.values.filter((one) => one.number !== 0).map((one) => one.name);
  if (typeof value !== "string" || type.values.some((one) => one.name === value)) {
    return [];
  }
  const meant = nearest(value, names);
  return [`${path}: ${value} is unknown; ${meant ? `did you mean ${meant}?` : `known here: ${names.join(", ")}`}`];
}

function isObject(value: JsonValue): value is { [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `cannot decode field tunesmith.config.v1.Schedule.epochs from JSON: …` as people say it. */
function plainly(message: string): string {
  return message.replace(/cannot decode (?:field|message|enum) (?:[a-z0-9_]+\.)*([A-Za-z.]*[a-z_]+) from JSON: /, "$1: ");
}
