import { type BaseModel, Stage, StageSchema } from "@tunesmith/sdk";
import { enumChoices } from "../../../ui/enumWord.js";

/** Which models are offered. */
export interface ModelFilter {
  family: string;
  stage: Stage;
  trainableOnly: boolean;
}

export const ALL_TRAINABLE: ModelFilter = { family: "", stage: Stage.UNSPECIFIED, trainableOnly: true };

/** Whether a model is offered. */
export function isOffered({ family, stage, trainable }: BaseModel, filter: ModelFilter): boolean {
  return (
    (filter.family === "" || family === filter.family) &&
    (filter.stage === Stage.UNSPECIFIED || stage === filter.stage) &&
    (trainable || !filter.trainableOnly)
  );
}

interface ModelFiltersProps {
  models: readonly BaseModel[];
  filter: ModelFilter;
  onFilter(filter: ModelFilter): void;
}

/** What narrows the list of models beside its search. */
export function ModelFilters({ models, filter, onFilter }: ModelFiltersProps) {
  const families = [...new Set(models.map(({ family }) => family).filter(Boolean))].sort();
  return (
    <div className="picker-filters">
      <select
        className="input"
        aria-label="Only models of this family"
        value={filter.family}
        onChange={(event) => onFilter({ ...filter, family: event.target.value })}
      >
        <option value="">All families</option>
        {families.map((family) => (
          <option key={family}>{family}</option>
        ))}
      </select>
      <select
        className="input"
        aria-label="Only models at this stage"
        value={filter.stage}
        onChange={(event) => onFilter({ ...filter, stage: Number(event.target.value) as Stage })}
      >
        <option value={Stage.UNSPECIFIED}>All stages</option>
        {enumChoices(StageSchema).map(({ value, word }) => (
          <option key={value} value={value}>
            {word}
          </option>
        ))}
      </select>
      <label>
        <input
          type="checkbox"
          checked={filter.trainableOnly}
          onChange={(event) => onFilter({ ...filter, trainableOnly: event.target.checked })}
        />
        Trainable only
      </label>
    </div>
  );
}
