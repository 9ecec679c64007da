// Which parts of a form make sense now is asked of the rules, by trying.
//
// The protos say in CEL that `lora_config` is required with LORA and refused with FULL. A table of that here would be a second
// place for the same fact. Instead the configuration is validated with and without the part, and what the rest of it says to
// either is compared:
//
//   a complaint only when it is there    → the part has no meaning now: hidden
//   a complaint only when it is missing  → the part belongs to what was chosen: required
//   no difference                        → the part is free
//
// Complaints about the part itself or what is in it don't count: a W&B integration without a project is unfinished, not
// meaningless. A single field may break a rule with one value and keep it with another, so it is tried with several and hidden
// only if none of them is taken.
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { validate } from "@tunesmith/sdk/validation";
import type { FieldDescription, Part } from "./describe.js";
import { add, isSet, read, type Value, write } from "./state.js";

export interface Presence {
  /** `waiting`: whether it makes sense is decided by a required choice that nobody made yet. */
  state: "hidden" | "required" | "free" | "waiting";
  /** What the rules say to it; for `hidden`, why it has no meaning now; for `waiting`, the choice to make. */
  reason: string;
}

/** The presence of every part that is not free, by path. */
export function presences(schema: DescMessage, sparse: Message, parts: readonly Part[]): Map<string, Presence> {
  const configuration = withGroups(schema, sparse, parts);
  const complaints = complaintsOf(schema, configuration);
  const found = new Map<string, Presence>();
  const look = (part: Part, beside: readonly Part[]) => {
    // A required field always has a meaning: it decides, and what it is at odds with gives way.
    const tried = part.kind === "field" ? !part.required : part.addedByChoice;
    let presence = tried ? probe(schema, configuration, part, complaints) : undefined;
    const there = isSet(schema, configuration, part.path);
    if (presence?.state === "free" && part.kind === "group" && !there) {
      presence = waitsFor(schema, configuration, part, beside);
    }
    if (presence && presence.state !== "free") {
      found.set(part.path, presence);
    }
    // What is in a part that is not there can't be tried without adding it.
    if (part.kind === "group" && (!part.addedByChoice || there)) {
      part.parts.forEach((inner) => look(inner, part.parts));
    }
  };
  parts.forEach((part) => look(part, parts));
  return found;
}

/**
 * The configuration with every group that is not there by choice: to the rules, an empty one is a missing one whose defaults are
 * filled in. Otherwise setting a field would add its group, and the group's own required fields would seem to complain of it.
 */
function withGroups(schema: DescMessage, configuration: Message, parts: readonly Part[]): Message {
  let filled = configuration;
  for (const part of parts) {
    if (part.kind === "group" && !part.addedByChoice && !isSet(schema, filled, part.path)) {
      filled = add(schema, filled, part.path);
    }
    if (part.kind === "group" && isSet(schema, filled, part.path)) {
      filled = withGroups(schema, filled, part.parts);
    }
  }
  return filled;
}

/** Whether a required choice beside a group is still to be made, and would decide about it. */
function waitsFor(schema: DescMessage, configuration: Message, group: Part, beside: readonly Part[]): Presence | undefined {
  for (const other of beside) {
    if (other.kind === "field" && other.control === "menu" && other.required && !isSet(schema, configuration, other.path)) {
      const decides = other.choices.some(({ number }) => {
        const chosen = write(schema, configuration, other.path, number);
        return probe(schema, chosen, group, complaintsOf(schema, chosen)).state !== "free";
      });
      if (decides) {
        return { state: "waiting", reason: other.label };
      }
    }
  }
  return undefined;
}

type Complaints = Map<string, { path: string; message: string }>;

function complaintsOf(schema: DescMessage, configuration: Message): Complaints {
  const violations = validate(schema, configuration);
  return new Map(violations.map(({ fieldPath, ruleId, message }) => [`${fieldPath} ${ruleId}`, { path: fieldPath, message }]));
}

function probe(schema: DescMessage, configuration: Message, part: Part, now: Complaints): Presence {
  const there = isSet(schema, configuration, part.path);
  const absent = there ? complaintsOf(schema, write(schema, configuration, part.path, undefined)) : now;
  let reason = "";
  for (const present of tries(schema, configuration, part)) {
    const complaints = present === configuration ? now : complaintsOf(schema, present);
    reason = onlyIn(complaints, absent, part.path);
    if (!reason) {
      const missed = onlyIn(absent, complaints, part.path);
      return missed ? { state: "required", reason: missed } : { state: "free", reason: "" };
    }
  }
  return { state: reason ? "hidden" : "free", reason };
}

/** The configuration with the part there: as it is, then with other values. */
function* tries(schema: DescMessage, configuration: Message, part: Part): Generator<Message> {
  if (isSet(schema, configuration, part.path)) {
    yield configuration;
  }
  if (part.kind === "group") {
    yield add(schema, configuration, part.path);
    return;
  }
  const current = read(schema, configuration, part.path);
  for (const value of samples(part)) {
    if (value !== current) {
      yield write(schema, configuration, part.path, value);
    }
  }
}

/** Values that a field could have. Whether its own rules take them does not matter. */
function samples(field: FieldDescription): Value[] {
  const values = sampleValues(field);
  return field.repeated ? (values.map((value) => [value]) as Value[]) : values;
}

function sampleValues(field: FieldDescription): Value[] {
  switch (field.type) {
    case "choice":
      return field.choices.map((choice) => choice.number);
    case "switch":
      return [true, false];
    case "text":
      // Two, since a rule may forbid the value of another field.
      return ["a", "b"];
    case "json":
      return field.repeated ? [] : [{}];
    default: {
      const ends = [field.default as number | undefined, field.range?.min, field.range?.max].filter((end) => end !== undefined);
      return ends.length > 0 ? [...new Set(ends)] : [0, 1];
    }
  }
}

function onlyIn(here: Complaints, there: Complaints, path: string): string {
  for (const [key, complaint] of here) {
    const own = complaint.path === path || complaint.path.startsWith(`${path}.`) || complaint.path.startsWith(`${path}[`);
    if (!own && !there.has(key)) {
      return complaint.message;
    }
  }
  return "";
}
