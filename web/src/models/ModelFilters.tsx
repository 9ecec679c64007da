import { LifecycleSchema, ModalitySchema, StageSchema } from "@tunesmith/sdk";
import { EnumSelect } from "../ui/EnumSelect.js";
import type { ModelFilter } from "./modelFilter.js";

interface ModelFiltersProps {
  families: readonly string[];
  filter: ModelFilter;
  onFilter(filter: ModelFilter): void;
}

/** What narrows the list of models. */
export function ModelFilters({ families, filter, onFilter }: ModelFiltersProps) {
  return (
    <div className="filters">
      <search>
        <input
          type="search"
          className="input models-search"
          placeholder="Search by name or family"
          aria-label="Search models by name or family"
          aria-keyshortcuts="/"
          data-search=""
          value={filter.search}
          onChange={(event) => onFilter({ ...filter, search: event.target.value })}
        />
      </search>
      <label>
        Family
        <select className="input" value={filter.family} onChange={(event) => onFilter({ ...filter, family: event.target.value })}>
          <option value="">All</option>
          {families.map((family) => (
            <option key={family}>{family}</option>
          ))}
        </select>
      </label>
      <label>
        Stage
        <EnumSelect schema={StageSchema} none="All" value={filter.stage} onChange={(stage) => onFilter({ ...filter, stage })} />
      </label>
      <label>
        Lifecycle
        <EnumSelect
          schema={LifecycleSchema}
          none="All"
          value={filter.lifecycle}
          onChange={(lifecycle) => onFilter({ ...filter, lifecycle })}
        />
      </label>
      <label>
        Reads
        <EnumSelect
          schema={ModalitySchema}
          none="All"
          value={filter.modality}
          onChange={(modality) => onFilter({ ...filter, modality })}
        />
      </label>
      <label>
        Trainable
        <select
          className="input"
          value={filter.trainable}
          onChange={(event) => onFilter({ ...filter, trainable: event.target.value as ModelFilter["trainable"] })}
        >
          <option value="">All</option>
          <option value="yes">Yes</option>
          <option value="no">No</option>
        </select>
      </label>
    </div>
  );
}
