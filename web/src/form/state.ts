// A configuration holds only what a person set: unset is not zero, and the server fills in defaults. Every change gives a new
// message.
import {
  clone,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Message,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";

/** What a field holds as forms have it: a list as an array, free keys as JSON data. Undefined: unset. */
export type Value = number | string | boolean | (number | string | boolean)[] | { [key: string]: JsonValue } | undefined;

const LONG = new Set([ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64, ScalarType.FIXED64, ScalarType.SFIXED64]);

/** The value at a path; undefined if it, or a message on the way to it, is unset. */
export function read(schema: DescMessage, configuration: Message, path: string): Value {
  const names = path.split(".");
  let at = reflect(schema, configuration);
  for (const [index, name] of names.entries()) {
    const field = fieldNamed(at.desc, name);
    if (!at.isSet(field)) {
      return undefined;
    }
    if (index === names.length - 1) {
      return valueOf(at, field);
    }
    at = at.get(field) as ReflectMessage;
  }
  return undefined;
}

/** Whether the message or field at a path is set. */
export function isSet(schema: DescMessage, configuration: Message, path: string): boolean {
  const holder = holderOf(reflect(schema, configuration), path, false);
  return holder !== undefined && holder.message.isSet(holder.field);
}

/** The configuration with a field set; with undefined, without it. Messages on the way are added. */
export function write<M extends Message>(schema: DescMessage, configuration: M, path: string, value: Value): M {
  const copy = clone(schema, configuration) as M;
  const holder = holderOf(reflect(schema, copy), path, value !== undefined);
  if (holder && value === undefined) {
    holder.message.clear(holder.field);
  } else if (holder) {
    set(holder.message, holder.field, value!);
  }
  return copy;
}

/** The configuration with an empty message at a path. */
export function add<M extends Message>(schema: DescMessage, configuration: M, path: string): M {
  const copy = clone(schema, configuration) as M;
  const holder = holderOf(reflect(schema, copy), path, true)!;
  holder.message.set(holder.field, holder.message.get(holder.field));
  return copy;
}

/** What stands at a path as JSON, so that it can be put back; undefined if it is unset. */
export function take(schema: DescMessage, configuration: Message, path: string): JsonValue | undefined {
  const holder = holderOf(reflect(schema, configuration), path, false);
  return holder?.message.isSet(holder.field) ? jsonOf(holder.message, holder.field) : undefined;
}

/** The configuration with what `take` gave. */
export function put<M extends Message>(schema: DescMessage, configuration: M, path: string, json: JsonValue): M {
  const copy = clone(schema, configuration) as M;
  const holder = holderOf(reflect(schema, copy), path, true)!;
  setJson(holder.message, holder.field, json);
  return copy;
}

/** Paths of the fields that are set, in the order of the form. */
export function changedFields(schema: DescMessage, configuration: Message): string[] {
  return changedIn(reflect(schema, configuration), "");
}

function changedIn(message: ReflectMessage, prefix: string): string[] {
  return message.sortedFields
    .filter((field) => message.isSet(field))
    .flatMap((field) => {
      const path = `${prefix}${field.name}`;
      const inner = field.fieldKind === "message" && !isFree(field) && (message.get(field) as ReflectMessage);
      return inner ? changedIn(inner, `${path}.`) : [path];
    });
}

function holderOf(
  root: ReflectMessage,
  path: string,
  adding: boolean,
): { message: ReflectMessage; field: DescField } | undefined {
  const names = path.split(".");
  const last = names.pop()!;
  let at = root;
  for (const name of names) {
    const field = fieldNamed(at.desc, name);
    if (!at.isSet(field)) {
      if (!adding) {
        return undefined;
      }
      // Reading an unset message gives a new one that is not in its place yet.
      at.set(field, at.get(field));
    }
    at = at.get(field) as ReflectMessage;
  }
  return { message: at, field: fieldNamed(at.desc, last) };
}

function fieldNamed(message: DescMessage, name: string): DescField {
  const field = message.fields.find((one) => one.name === name);
  if (!field) {
    throw new Error(`${message.typeName} has no field ${name}`);
  }
  return field;
}

function isFree(field: DescField): boolean {
  return field.message !== undefined && field.message.typeName.startsWith("google.protobuf.");
}

function valueOf(message: ReflectMessage, field: DescField): Value {
  if (field.fieldKind === "map" || field.message) {
    return jsonOf(message, field) as Value;
  }
  if (field.fieldKind === "list") {
    return [...message.get(field)].map(plain);
  }
  return plain(message.get(field));
}

/** Long integers are bigints in messages and numbers in forms. */
function plain(value: unknown): number | string | boolean {
  return typeof value === "bigint" ? Number(value) : (value as number | string | boolean);
}

function set(message: ReflectMessage, field: DescField, value: NonNullable<Value>): void {
  if (field.fieldKind === "map" || field.message) {
    setJson(message, field, value as JsonValue);
    return;
  }
  const { scalar } = field;
  const held = (one: number | string | boolean) => (scalar !== undefined && LONG.has(scalar) ? BigInt(one) : one);
  if (field.fieldKind === "list") {
    const list = message.get(field);
    list.clear();
    for (const one of value as (number | string | boolean)[]) {
      list.add(held(one));
    }
  } else {
    message.set(field, held(value as number | string | boolean));
  }
}

// protobuf-es converts whole messages, so a field travels in a message that has nothing else.
function jsonOf(message: ReflectMessage, field: DescField): JsonValue {
  const whole = toJson(message.desc, message.message, { useProtoFieldName: true }) as Record<string, JsonValue>;
  return whole[field.name] ?? {};
}

function setJson(message: ReflectMessage, field: DescField, json: JsonValue): void {
  const carrier = reflect(message.desc, fromJson(message.desc, { [field.name]: json }));
  if (field.fieldKind === "list" || field.fieldKind === "map") {
    (message.message as unknown as Record<string, unknown>)[field.localName] = (
      carrier.message as unknown as Record<string, unknown>
    )[field.localName];
  } else {
    message.set(field, carrier.get(field));
  }
}
