import type { BaseModel } from "@tunesmith/sdk";
import { useCallback, useMemo, useState } from "react";
import { ErrorNotice } from "../../../ui/ErrorNotice.js";
import { useTunesmith } from "../../../ui/tunesmith.js";
import { bytes, shortCount } from "../../../ui/words.js";
import { useFormContext } from "../context.js";
import type { FieldHandle } from "../useField.js";
import { ALL_TRAINABLE, isOffered, ModelFilters } from "./ModelFilters.js";
import { PickedModel } from "./PickedModel.js";
import { type Option, Picker } from "./Picker.js";
import { useAll } from "./useAll.js";

/** One of the registered base models, or its id. */
export function BaseModelPicker({ handle }: { handle: FieldHandle }) {
  const { registry } = useTunesmith();
  const { reconsider } = useFormContext();
  const { items, error, retry } = useAll(
    useCallback(
      async (pageToken: string, signal: AbortSignal) => {
        const answer = await registry.listBaseModels({ pageSize: 200, pageToken }, { signal });
        return { items: answer.baseModels, nextPageToken: answer.nextPageToken };
      },
      [registry],
    ),
  );
  const [filter, setFilter] = useState(ALL_TRAINABLE);
  // What was changed here since the list was read.
  const [changed, setChanged] = useState<BaseModel>();
  const models = useMemo(() => items?.map((model) => (model.id === changed?.id ? changed : model)), [items, changed]);
  const options = useMemo(() => models?.filter((model) => isOffered(model, filter)).map(optionOf), [models, filter]);
  const picked = models?.find(({ id, hubRepo }) => id === handle.value || (hubRepo !== "" && hubRepo === handle.value));
  const empty = error ? (
    <ErrorNotice error={error} onRetry={retry} />
  ) : (
    models &&
    !models.some(({ trainable }) => trainable) && (
      <p className="picker-empty">
        No base model is registered yet. Import one: <code>tunesmith models import &lt;folder or hub name&gt;</code>
      </p>
    )
  );
  return (
    <>
      <Picker
        handle={handle}
        options={options}
        known={picked && optionOf(picked)}
        empty={empty}
        placeholder="Search, or type an id"
      />
      {models && models.length > 0 && <ModelFilters models={models} filter={filter} onFilter={setFilter} />}
      {picked && (
        <PickedModel
          key={picked.id}
          model={picked}
          onChanged={(model) => {
            setChanged(model);
            reconsider();
          }}
        />
      )}
    </>
  );
}

function optionOf(model: BaseModel): Option {
  const facts = [
    model.hubRepo && model.hubRepo !== model.displayName ? model.displayName : "",
    model.parameterCount === undefined ? "" : `${shortCount(model.parameterCount)} parameters`,
    model.dtype,
    model.family,
    model.sizeBytes > 0n ? bytes(model.sizeBytes) : "",
  ];
  return { value: model.hubRepo || model.id, name: model.hubRepo || model.displayName, facts: facts.filter(Boolean).join(" · ") };
}
