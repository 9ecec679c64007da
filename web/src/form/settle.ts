import type { DescMessage, JsonValue, Message } from "@bufbuild/protobuf";
import { groupsOf, type Part } from "./describe.js";
import { type Presence, presences } from "./presence.js";
import { add, isSet, put, take, write } from "./state.js";

/** A configuration whose parts are those that make sense, and what was done to make it so. */
export interface Settled<M extends Message> {
  configuration: M;
  presence: Map<string, Presence>;
  /** What was taken out, by path, so that it comes back with what needs it. */
  kept: ReadonlyMap<string, JsonValue>;
  /** What was taken out just now, in words for people. */
  notes: Note[];
}

/** A sentence about a part of the form. */
export interface Note {
  path: string;
  message: string;
}

/**
 * Takes out what the rules refuse beside what was chosen, and adds what they require.
 *
 * A part that is taken out is kept: whoever looks at another method and comes back finds what they had.
 */
export function settle<M extends Message>(
  schema: DescMessage,
  parts: readonly Part[],
  configuration: M,
  kept: ReadonlyMap<string, JsonValue> = new Map(),
): Settled<M> {
  const store = new Map(kept);
  const notes: Note[] = [];
  let now = withRequiredSections(schema, parts, configuration);
  const named = namesOf(parts);
  // What is added may require more. Each round settles one depth, and no form is deeper than this.
  for (let round = 0; ; round += 1) {
    const presence = presences(schema, now, parts);
    let changed = false;
    for (const [path, { state, reason }] of presence) {
      const there = isSet(schema, now, path);
      if (state === "hidden" && there) {
        store.set(path, take(schema, now, path)!);
        now = write(schema, now, path, undefined);
        notes.push({ path, message: `${named.get(path)?.label ?? path} was taken out: ${reason}` });
        changed = true;
      } else if (state === "required" && !there && named.get(path)?.kind === "group") {
        const back = store.get(path);
        now = back === undefined ? add(schema, now, path) : put(schema, now, path, back);
        store.delete(path);
        changed = true;
      }
    }
    if (!changed || round === 8) {
      return { configuration: now, presence, kept: store, notes };
    }
  }
}

/** A section that has to be there is there from the start, so that what is missing is said of its fields. */
function withRequiredSections<M extends Message>(schema: DescMessage, parts: readonly Part[], configuration: M): M {
  return parts
    .filter((part) => part.kind === "group" && part.required && !isSet(schema, configuration, part.path))
    .reduce((now, part) => add(schema, now, part.path), configuration);
}

function namesOf(parts: readonly Part[]): Map<string, Part> {
  const all: Part[] = groupsOf(parts).flatMap((group) => [group, ...group.parts]);
  return new Map([...parts, ...all].map((part) => [part.path, part]));
}
