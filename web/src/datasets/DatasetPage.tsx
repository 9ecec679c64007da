import "./datasets.css";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ColumnTypeSchema, type Dataset, DatasetFormatSchema } from "@tunesmith/sdk";
import { useState } from "react";
import { Link } from "wouter";
import { Button } from "../ui/Button.js";
import { previewDatasetCommands, uploadDatasetCommands } from "../ui/commands.js";
import { CopyAs } from "../ui/CopyAs.js";
import { enumWord } from "../ui/enumWord.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Time } from "../ui/Time.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { usePageTitle } from "../ui/usePageTitle.js";
import { bytes, count } from "../ui/words.js";
import { Rows } from "./rows/Rows.js";

/** How many rows can be looked at. */
const STEPS = [5, 20, 100];

/** One dataset: what its columns are, and what its first rows say. */
export default function DatasetPage({ id }: { id: string }) {
  const tunesmith = useTunesmith();
  const { data, error, refetch } = useQuery({
    queryKey: ["datasets", id],
    queryFn: async ({ signal }) => (await tunesmith.registry.getDataset({ id }, { signal })).dataset,
    staleTime: Infinity,
  });
  const name = data?.displayName || data?.filename || "Dataset";
  usePageTitle(name);
  return (
    <>
      <div className="page-head">
        <div>
          <p>
            <Link href="/datasets">Datasets</Link>
          </p>
          <h1 className="dataset-name">
            {name} {data && <span className="total">version {data.version}</span>}
          </h1>
        </div>
        {data && (
          <div className="row">
            <CopyAs
              label="Copy upload as"
              commands={() =>
                uploadDatasetCommands(tunesmith.baseUrl, {
                  file: data.filename,
                  displayName: data.displayName,
                  format: DatasetFormatSchema.value[data.format]?.name,
                })
              }
            />
            <Link href={`/jobs/new?dataset=${encodeURIComponent(id)}`} className="button button-primary">
              Train on this
            </Link>
          </div>
        )}
      </div>
      {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {data && (
        <>
          <div className="dataset-top">
            <Facts dataset={data} />
            <Columns dataset={data} />
          </div>
          <Preview dataset={data} />
        </>
      )}
    </>
  );
}

function Facts({ dataset }: { dataset: Dataset }) {
  return (
    <div className="panel">
      <dl className="facts">
        <dt>Format</dt>
        <dd>{enumWord(DatasetFormatSchema, dataset.format)}</dd>
        <dt>Rows</dt>
        <dd>{count(dataset.rowCount)}</dd>
        <dt>Size</dt>
        <dd>{bytes(dataset.sizeBytes)}</dd>
        <dt>File</dt>
        <dd>{dataset.filename}</dd>
        <dt>Created</dt>
        <dd>
          <Time time={dataset.createTime} />
        </dd>
        <dt>Id</dt>
        <dd>
          <code>{dataset.id}</code>
        </dd>
        <dt>SHA-256</dt>
        <dd>
          <code>{dataset.sha256}</code>
        </dd>
      </dl>
    </div>
  );
}

function Columns({ dataset }: { dataset: Dataset }) {
  return (
    <section className="panel panel-table" aria-labelledby="columns">
      <h2 id="columns" className="table-title">
        Columns
      </h2>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Type</th>
            <th scope="col" className="number">
              Rows with a value
            </th>
          </tr>
        </thead>
        <tbody>
          {dataset.columns.map((column) => (
            <tr key={column.name}>
              <td>
                <code>{column.name}</code>
              </td>
              <td>{enumWord(ColumnTypeSchema, column.type)}</td>
              <td className="number">{column.valueCount === dataset.rowCount ? "all" : count(column.valueCount)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Preview({ dataset }: { dataset: Dataset }) {
  const tunesmith = useTunesmith();
  const [rowCount, setRowCount] = useState(STEPS[0] ?? 5);
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ["datasets", dataset.id, "preview", rowCount],
    queryFn: ({ signal }) => tunesmith.registry.previewDataset({ id: dataset.id, rowCount }, { signal }),
    staleTime: Infinity,
    placeholderData: keepPreviousData,
  });
  // The largest step that shows more than the one before it.
  const steps = STEPS.filter((_, index) => index === 0 || Number(dataset.rowCount) > (STEPS[index - 1] ?? 0));
  return (
    <section className="stack" aria-labelledby="preview" aria-busy={isFetching}>
      <div className="page-head">
        <h2 id="preview">First rows</h2>
        <div className="row">
          {steps.length > 1 && (
            <div className="row" role="group" aria-label="How many rows">
              {steps.map((step) => (
                <Button key={step} look="plain" className="chip" aria-pressed={step === rowCount} onClick={() => setRowCount(step)}>
                  {step}
                </Button>
              ))}
            </div>
          )}
          <CopyAs commands={() => previewDatasetCommands(tunesmith.baseUrl, dataset.id)} />
        </div>
      </div>
      {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {data && <Rows format={dataset.format} columns={dataset.columns.map(({ name }) => name)} rows={data.rows} />}
    </section>
  );
}
