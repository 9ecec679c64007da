// What a person does to a form, as functions from one state to the next.
import type { DescMessage, JsonValue, Message } from "@bufbuild/protobuf";
import type { Part } from "./describe.js";
import type { TypedFault } from "./judge.js";
import type { Presence } from "./presence.js";
import { type Note, settle } from "./settle.js";
import { add, isSet, put, take, type Value, write } from "./state.js";

/** Everything a form holds. */
export interface FormState<M extends Message = Message> {
  readonly configuration: M;
  readonly presence: ReadonlyMap<string, Presence>;
  /** Texts that are no values, as they were typed. Their fields are unset. */
  readonly faults: ReadonlyMap<string, TypedFault>;
  /** Parts that were taken out, in case they come back. */
  readonly kept: ReadonlyMap<string, JsonValue>;
  readonly notes: readonly Note[];
}

/** One thing a person does. */
export type Edit<M extends Message = Message> =
  | { kind: "set"; path: string; value: Value }
  | { kind: "mistype"; path: string; text: string; fault: string }
  | { kind: "add"; path: string }
  | { kind: "remove"; path: string }
  /** Another configuration from outside. */
  | { kind: "replace"; configuration: M }
  /** This configuration with some fields changed by a program. */
  | { kind: "amend"; configuration: M }
  | { kind: "read notes" };

/** A form that holds a configuration. */
export function begin<M extends Message>(schema: DescMessage, parts: readonly Part[], configuration: M): FormState<M> {
  return { ...settle(schema, parts, configuration), faults: new Map() };
}

/** The form after an edit. */
export function edited<M extends Message>(
  schema: DescMessage,
  parts: readonly Part[],
  state: FormState<M>,
  edit: Edit<M>,
): FormState<M> {
  switch (edit.kind) {
    case "replace":
      return begin(schema, parts, edit.configuration);
    case "amend": {
      // What was typed wrong stays to be put right, unless it just was.
      const faults = new Map([...state.faults].filter(([path]) => !isSet(schema, edit.configuration, path)));
      return resettled(schema, parts, state, edit.configuration, faults);
    }
    case "read notes":
      return { ...state, notes: [] };
    case "add": {
      const back = state.kept.get(edit.path);
      const added =
        back === undefined ? add(schema, state.configuration, edit.path) : put(schema, state.configuration, edit.path, back);
      return resettled(schema, parts, state, added, state.faults);
    }
    case "remove": {
      const taken = take(schema, state.configuration, edit.path);
      const kept = taken === undefined ? state.kept : new Map([...state.kept, [edit.path, taken]]);
      const faults = new Map([...state.faults].filter(([path]) => !path.startsWith(`${edit.path}.`)));
      return resettled(schema, parts, { ...state, kept }, write(schema, state.configuration, edit.path, undefined), faults);
    }
    case "mistype": {
      const faults = new Map([...state.faults, [edit.path, { text: edit.text, fault: edit.fault }]]);
      return resettled(schema, parts, state, write(schema, state.configuration, edit.path, undefined), faults);
    }
    default: {
      const faults = new Map([...state.faults].filter(([path]) => path !== edit.path));
      return resettled(schema, parts, state, write(schema, state.configuration, edit.path, edit.value), faults);
    }
  }
}

function resettled<M extends Message>(
  schema: DescMessage,
  parts: readonly Part[],
  state: FormState<M>,
  configuration: M,
  faults: ReadonlyMap<string, TypedFault>,
): FormState<M> {
  const settled = settle(schema, parts, configuration, state.kept);
  const older = state.notes.filter((note) => !settled.notes.some(({ path }) => path === note.path));
  return {
    ...settled,
    // What is no longer shown can't be put right.
    faults: new Map([...faults].filter(([path]) => !isGone(schema, settled, path))),
    // A note is old once what it is about is back.
    notes: [...older, ...settled.notes].filter(({ path }) => !isSet(schema, settled.configuration, path)),
  };
}

function isGone(
  schema: DescMessage,
  { configuration, presence }: Pick<FormState, "configuration" | "presence">,
  path: string,
): boolean {
  return [...presence].some(([gone, { state }]) => {
    const out = state === "hidden" && !isSet(schema, configuration, gone);
    return out && (path === gone || path.startsWith(`${gone}.`));
  });
}
