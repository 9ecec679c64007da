import type { DescEnum } from "@bufbuild/protobuf";
import { enumChoices } from "./enumWord.js";

interface EnumSelectProps {
  schema: DescEnum;
  value: number;
  onChange(value: number): void;
  /** What 0 is called here; without it, a value has to be chosen. */
  none?: string;
  id?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: true;
  "aria-label"?: string;
}

/** One value of an enum, by its word. */
export function EnumSelect({ schema, value, onChange, none, ...rest }: EnumSelectProps) {
  return (
    <select {...rest} className="input" value={value} onChange={(event) => onChange(Number(event.target.value))}>
      {none !== undefined && <option value={0}>{none}</option>}
      {enumChoices(schema).map((choice) => (
        <option key={choice.value} value={choice.value}>
          {choice.word}
        </option>
      ))}
    </select>
  );
}
