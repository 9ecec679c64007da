import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { isReflectList, isReflectMap, isReflectMessage, pathToString, reflect, type Path } from "@bufbuild/protobuf/reflect";
import { createValidator, type Validator } from "@bufbuild/protovalidate";

/** A rule of the protos that a message breaks. */
export interface Violation {
  /** As the protos write it: `optimizer.learning_rate`, `optimizations.enabled[1]`. Empty for the message as a whole. */
  fieldPath: string;
  /** The rule's stable id: `double.gte_lte`. */
  ruleId: string;
  /** The sentence that the server would answer. */
  message: string;
}

/** Rules whose violation the library says in words that differ between languages. The server says the same as `unknownValue`. */
const ENUM_RULES: ReadonlySet<string> = new Set(["enum.defined_only", "enum.not_in"]);

let validator: Validator | undefined;

/** What the server would say of a message, in its words; nothing if it would take it. */
export function validate<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Violation[] {
  // It compiles a message's rules once, so there is one; not before it is wanted, so that importing costs nothing.
  validator ??= createValidator();
  const result = validator.validate(schema, message);
  if (result.kind === "error") {
    throw result.error;
  }
  return (result.violations ?? []).map(({ field, ruleId, message: text }) => ({
    fieldPath: pathToString(field),
    ruleId,
    message: ENUM_RULES.has(ruleId) ? unknownValue(valueAt(schema, message, field)) : text,
  }));
}

function unknownValue(value: unknown): string {
  return `${value} is no value of this enum; GET /v1/parameters lists them`;
}

function valueAt<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>, path: Path): unknown {
  let value: unknown = reflect(schema, message);
  for (const step of path) {
    if (step.kind === "field" && isReflectMessage(value)) {
      value = value.get(step);
    } else if (step.kind === "list_sub" && isReflectList(value)) {
      value = value.get(step.index);
    } else if (step.kind === "map_sub" && isReflectMap(value)) {
      value = value.get(step.key);
    }
  }
  return value;
}
