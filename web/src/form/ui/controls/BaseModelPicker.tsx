import type { BaseModel } from "@tunesmith/sdk";
import { useCallback, useMemo } from "react";
import { ErrorNotice } from "../../../ui/ErrorNotice.js";
import { useTunesmith } from "../../../ui/tunesmith.js";
import { bytes, shortCount } from "../../../ui/words.js";
import type { FieldHandle } from "../useField.js";
import { type Option, Picker } from "./Picker.js";
import { useAll } from "./useAll.js";

/** One of the registered base models, or its id. */
export function BaseModelPicker({ handle }: { handle: FieldHandle }) {
  const { registry } = useTunesmith();
  const { items, error, retry } = useAll(
    useCallback(
      async (pageToken: string, signal: AbortSignal) => {
        const answer = await registry.listBaseModels({ pageSize: 200, pageToken }, { signal });
        return { items: answer.baseModels, nextPageToken: answer.nextPageToken };
      },
      [registry],
    ),
  );
  const options = useMemo(() => items?.filter((model) => model.trainable).map(optionOf), [items]);
  const empty = error ? (
    <ErrorNotice error={error} onRetry={retry} />
  ) : (
    options?.length === 0 && (
      <p className="picker-empty">
        No base model is registered yet. Import one: <code>tunesmith models import &lt;folder or hub name&gt;</code>
      </p>
    )
  );
  return <Picker handle={handle} options={options} empty={empty} placeholder="Search, or type an id" />;
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
