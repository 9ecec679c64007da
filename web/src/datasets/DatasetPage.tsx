import "./datasets.css";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { ColumnTypeSchema, type Dataset, DatasetFormatSchema } from "@tunesmith/sdk";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { AskDialog } from "../ui/AskDialog.js";
import { Button } from "../ui/Button.js";
import { previewDatasetCommands, uploadDatasetCommands } from "../ui/commands.js";
import { CopyAs } from "../ui/CopyAs.js";
import { enumWord } from "../ui/enumWord.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Time } from "../ui/Time.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { usePageTitle } from "../ui/usePageTitle.js";
import { bytes, count } from "../ui/words.js";
import { ConvertDialog } from "./ConvertDialog.js";
import { DescribeDialog } from "./DescribeDialog.js";
import { Integrity } from "./Integrity.js";
import { Rows } from "./rows/Rows.js";
import { Statistics } from "./statistics/Statistics.js";
import { Versions } from "./Versions.js";

/** How many rows can be looked at. */
const STEPS = [5, 20, 100];

/** One dataset: what its columns are, and what its first rows say. */
export default function DatasetPage({ id }: { id: string }) {
  const tunesmith = useTunesmith();
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const [doing, setDoing] = useState<"convert" | "describe" | "delete">();
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
            <Button onClick={() => setDoing("describe")}>Describe</Button>
            <Button onClick={() => setDoing("convert")}>Convert</Button>
            <Button look="danger" onClick={() => setDoing("delete")}>
              Delete
            </Button>
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
          <Statistics dataset={data} />
          <Preview dataset={data} />
        </>
      )}
      {data && doing === "convert" && <ConvertDialog dataset={data} onClose={() => setDoing(undefined)} />}
      {data && doing === "describe" && <DescribeDialog dataset={data} onClose={() => setDoing(undefined)} />}
      {data && doing === "delete" && (
        <AskDialog
          title={`Delete “${name}”, version ${data.version}?`}
          yes="Delete the dataset"
          onYes={() => tunesmith.registry.deleteDataset({ id })}
          onClose={() => setDoing(undefined)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ["datasets", "list"] });
            navigate("/datasets");
          }}
        >
          No new job finds it. Jobs that were created with it go on, and its rows stay for them.
        </AskDialog>
      )}
    </>
  );
}

function Facts({ dataset }: { dataset: Dataset }) {
  return (
    <div className="panel">
      {dataset.description && <p className="dataset-description">{dataset.description}</p>}
      <dl className="facts">
        <dt>Format</dt>
        <dd>{enumWord(DatasetFormatSchema, dataset.format)}</dd>
        <dt>Rows</dt>
        <dd>{count(dataset.rowCount)}</dd>
        <dt>Size</dt>
        <dd>{bytes(dataset.sizeBytes)}</dd>
        <dt>File</dt>
        <dd>{dataset.filename}</dd>
        <dt>Integrity</dt>
        <dd>
          <Integrity dataset={dataset} />
        </dd>
        {dataset.parentId && (
          <>
            <dt>Made from</dt>
            <dd>
              <Parent id={dataset.parentId} />
            </dd>
          </>
        )}
        <Versions dataset={dataset} />
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

/** The dataset that one was converted from, by its name where it is still listed. */
function Parent({ id }: { id: string }) {
  const { registry } = useTunesmith();
  const { data } = useQuery({
    queryKey: ["datasets", id],
    queryFn: async ({ signal }) => (await registry.getDataset({ id }, { signal })).dataset,
    staleTime: Infinity,
  });
  return <Link href={`/datasets/${id}`}>{data ? `${data.displayName || data.filename}, version ${data.version}` : id}</Link>;
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
