import "./datasets.css";
import { type Dataset, DatasetFormat, DatasetFormatSchema, IntegrityStatus } from "@tunesmith/sdk";
import { useCallback, useDeferredValue, useRef, useState } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { Button } from "../ui/Button.js";
import { enumChoices, enumWord } from "../ui/enumWord.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Time } from "../ui/Time.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useEveryPage } from "../ui/useEveryPage.js";
import { usePageTitle } from "../ui/usePageTitle.js";
import { bytes, count } from "../ui/words.js";
import { IntegrityBadge } from "./Integrity.js";
import { Uploads } from "./upload/Uploads.js";
import { useDrop } from "./upload/useDrop.js";
import { useUploads } from "./upload/useUploads.js";

const FORMATS = enumChoices(DatasetFormatSchema);
const ENDINGS = ".jsonl,.json,.csv,.parquet,.zip";

/** What there is to train and evaluate on. */
export default function DatasetsPage() {
  usePageTitle("Datasets");
  const tunesmith = useTunesmith();
  const [, navigate] = useLocation();
  const wanted = new URLSearchParams(useSearch()).get("format");
  const format: DatasetFormat = FORMATS.find(({ path }) => path === wanted)?.value ?? DatasetFormat.UNSPECIFIED;
  const { items, data, error, refetch, whole } = useEveryPage(["datasets", "list", format], async (pageToken, signal) => {
    const { datasets, nextPageToken } = await tunesmith.registry.listDatasets({ pageSize: 200, pageToken, format }, { signal });
    return { items: datasets, nextPageToken };
  });
  const [search, setSearch] = useState("");
  const sought = useDeferredValue(search.trim().toLowerCase());
  const shown = items.filter(({ displayName, filename }) => (displayName || filename).toLowerCase().includes(sought));
  const { queue, uploads } = useUploads();
  const held = useDrop(useCallback((files: File[]) => queue.choose(files), [queue]));
  const input = useRef<HTMLInputElement>(null);
  const narrow = (path: string) => navigate(path ? `/datasets?format=${path}` : "/datasets");
  return (
    <>
      <div className="page-head">
        <h1>
          Datasets {data && items.length > 0 && <span className="total">{count(items.length)}</span>}
        </h1>
        <Button onClick={() => input.current?.click()}>Upload files</Button>
        <input
          ref={input}
          type="file"
          className="visually-hidden"
          multiple
          accept={ENDINGS}
          tabIndex={-1}
          aria-label="Files to upload"
          onChange={(event) => {
            queue.choose(event.target.files ?? []);
            // So that the same file can be chosen again.
            event.target.value = "";
          }}
        />
      </div>
      {uploads.length > 0 && <Uploads queue={queue} uploads={uploads} />}
      {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {(items.length > 0 || format !== DatasetFormat.UNSPECIFIED) && (
        <div className="filters">
          <search>
            <input
              type="search"
              className="input"
              placeholder="Search by name"
              aria-label="Search datasets by name"
              aria-keyshortcuts="/"
              data-search=""
              value={search}
              onChange={(event) => setSearch(event.target.value)}
            />
          </search>
          <label>
            Format
            <select className="input" value={wanted ?? ""} onChange={(event) => narrow(event.target.value)}>
              <option value="">All formats</option>
              {FORMATS.map(({ path, word }) => (
                <option key={path} value={path}>
                  {word}
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      {shown.length > 0 && <Datasets datasets={shown} />}
      {whole && items.length > 0 && shown.length === 0 && (
        <div className="panel empty">
          <p>No dataset's name has “{search.trim()}” in it.</p>
          <Button onClick={() => setSearch("")}>Clear the search</Button>
        </div>
      )}
      {!data && !error && (
        <div className="panel datasets-waiting" role="status">
          <span className="visually-hidden">Loading</span>
        </div>
      )}
      {whole && items.length === 0 && format === DatasetFormat.UNSPECIFIED && <NoDatasets onChoose={() => input.current?.click()} />}
      {whole && items.length === 0 && format !== DatasetFormat.UNSPECIFIED && (
        <div className="panel empty">
          <p>No dataset has this format.</p>
          <Button onClick={() => narrow("")}>Show all formats</Button>
        </div>
      )}
      {held && (
        <div className="drop" aria-hidden="true">
          <p>Drop the files to upload them</p>
        </div>
      )}
    </>
  );
}

function Datasets({ datasets }: { datasets: Dataset[] }) {
  return (
    <div className="panel panel-table">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className="wide-only">
              Format
            </th>
            <th scope="col" className="number">
              Rows
            </th>
            <th scope="col" className="number wide-only">
              Size
            </th>
            <th scope="col" className="number wide-only">
              Created
            </th>
            <th scope="col">
              <span className="visually-hidden">What to do</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {datasets.map((dataset) => (
            <tr key={dataset.id}>
              <td>
                <Link href={`/datasets/${dataset.id}`} className="name">
                  {dataset.displayName || dataset.filename}
                </Link>{" "}
                <span className="soft">version {dataset.version}</span>{" "}
                {dataset.integrity?.status === IntegrityStatus.FAILED && <IntegrityBadge dataset={dataset} />}
                {dataset.parentId && <span className="badge marks-plain">Converted</span>}
                <div className="soft sub narrow-only">
                  {enumWord(DatasetFormatSchema, dataset.format)} · {bytes(dataset.sizeBytes)} · <Time time={dataset.createTime} />
                </div>
              </td>
              <td className="wide-only">{enumWord(DatasetFormatSchema, dataset.format)}</td>
              <td className="number">{count(dataset.rowCount)}</td>
              <td className="number wide-only">{bytes(dataset.sizeBytes)}</td>
              <td className="number wide-only">
                <Time time={dataset.createTime} />
              </td>
              <td className="number">
                <Link
                  href={`/jobs/new?dataset=${encodeURIComponent(dataset.id)}`}
                  className="button"
                  aria-label={`Train on ${dataset.displayName}, version ${dataset.version}`}
                >
                  Train
                </Link>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NoDatasets({ onChoose }: { onChoose: () => void }) {
  return (
    <div className="panel empty">
      <h2>No datasets yet</h2>
      <p className="soft">
        Drop files anywhere on this page, or choose them: JSONL, JSON, CSV or Parquet. Every row is checked before one is stored.
      </p>
      <Button look="primary" onClick={onChoose}>
        Choose files
      </Button>
      <p className="soft">or, on the command line:</p>
      <code className="code">tunesmith datasets upload rows.jsonl</code>
    </div>
  );
}
