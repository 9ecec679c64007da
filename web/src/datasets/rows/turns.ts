import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** One turn of a conversation. */
export interface Turn {
  role: string;
  text: string;
}

/** A value as text: a string as it is, everything else as JSON. */
export function textOf(value: JsonValue | undefined): string {
  if (value === undefined || value === null) {
    return "";
  }
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** The turns of a row of messages, or of ShareGPT's conversations; undefined if it has none. */
export function turnsOf(row: JsonObject): Turn[] | undefined {
  const list = row.messages ?? row.conversations;
  if (!Array.isArray(list)) {
    return undefined;
  }
  return list.map((item) => {
    const turn = item !== null && typeof item === "object" && !Array.isArray(item) ? item : {};
    const said = turn.content ?? turn.value;
    const { role, from, content: _content, value: _value, ...rest } = turn;
    // What is neither role nor text, such as a call of a tool, is shown rather than hidden.
    const more = Object.keys(rest).length > 0 ? textOf(rest) : "";
    return { role: textOf(role ?? from) || "?", text: [textOf(said), more].filter(Boolean).join("\n") };
  });
}
