import { type Dataset, DatasetFormatSchema } from "@tunesmith/sdk";
import { useCallback, useMemo } from "react";
import { ErrorNotice } from "../../../ui/ErrorNotice.js";
import { useTunesmith } from "../../../ui/tunesmith.js";
import { bytes, count } from "../../../ui/words.js";
import { useFormContext } from "../context.js";
import type { FieldHandle } from "../useField.js";
import { type Option, Picker } from "./Picker.js";
import { useAll } from "./useAll.js";

/** One of the uploaded datasets, or its id. */
export function DatasetPicker({ handle }: { handle: FieldHandle }) {
  const { baseUrl, registry } = useTunesmith();
  const { datasetFormats, providerName } = useFormContext();
  const { items, error, retry } = useAll(
    useCallback(
      async (pageToken: string, signal: AbortSignal) => {
        const answer = await registry.listDatasets({ pageSize: 200, pageToken }, { signal });
        return { items: answer.datasets, nextPageToken: answer.nextPageToken };
      },
      [registry],
    ),
  );
  const options = useMemo(() => {
    const unfit = (dataset: Dataset) => datasetFormats.length > 0 && !datasetFormats.includes(dataset.format);
    return items?.map((dataset) => optionOf(dataset, unfit(dataset) ? `not for ${providerName}` : ""));
  }, [items, datasetFormats, providerName]);
  const empty = error ? (
    <ErrorNotice error={error} onRetry={retry} />
  ) : (
    options?.length === 0 && (
      <p className="picker-empty">
        No dataset is here yet. <a href={`${baseUrl}/datasets`}>Upload one</a>, or run{" "}
        <code>tunesmith datasets upload rows.jsonl</code>
      </p>
    )
  );
  return <Picker handle={handle} options={options} empty={empty} placeholder="Search, or type an id" />;
}

function optionOf(dataset: Dataset, remark: string): Option {
  const format = DatasetFormatSchema.value[dataset.format]?.localName.toLowerCase().replaceAll("_", " ") ?? "";
  const facts = [`${count(dataset.rowCount)} rows`, format, bytes(dataset.sizeBytes), `version ${dataset.version}`, remark];
  return { value: dataset.id, name: dataset.displayName, facts: facts.filter(Boolean).join(" · ") };
}
