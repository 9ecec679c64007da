import type { BaseModel } from "@tunesmith/sdk";
import { modelChips } from "./modelChips.js";

interface ModelChipsProps {
  model: BaseModel;
  /** Where there is no room for all: only words that begin so. */
  only?: readonly string[];
}

/** What matters of a model, as a row of words. */
export function ModelChips({ model, only }: ModelChipsProps) {
  const chips = modelChips(model).filter(({ word }) => !only || only.some((begin) => word.startsWith(begin)));
  return (
    <ul className="marks" aria-label="About this model">
      {chips.map(({ word, tone, title }) => (
        <li key={word} className={`badge ${tone ? `badge-${tone}` : ""}`} title={title}>
          {word}
        </li>
      ))}
    </ul>
  );
}
