import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { Dataset, DatasetStatistics } from "@tunesmith/sdk";
import { useState } from "react";
import { statisticsCommands } from "../../ui/commands.js";
import { CopyAs } from "../../ui/CopyAs.js";
import { ErrorNotice } from "../../ui/ErrorNotice.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { count, figure } from "../../ui/words.js";
import { Histogram } from "./Histogram.js";

/** The gateway's own limit: a large dataset is counted once, which takes its time. */
const TIMEOUT_MS = 60_000;

/** Lengths, repeats, gaps and roles of a dataset's rows. */
export function Statistics({ dataset }: { dataset: Dataset }) {
  const { baseUrl, registry } = useTunesmith();
  const [tokenizer, setTokenizer] = useState("");
  const models = useQuery({
    queryKey: ["models", "tokenizers"],
    queryFn: async ({ signal }) => (await registry.listBaseModels({ pageSize: 200 }, { signal })).baseModels,
  });
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ["datasets", dataset.id, "statistics", tokenizer],
    queryFn: async ({ signal }) =>
      (await registry.getDatasetStatistics({ id: dataset.id, baseModel: tokenizer }, { signal, timeoutMs: TIMEOUT_MS })).statistics,
    staleTime: Infinity,
    placeholderData: keepPreviousData,
  });
  const counters = (models.data ?? []).filter(({ tokenizer: own, files }) => own !== "" || files.some(({ path }) => path === "tokenizer.json"));
  return (
    <section className="panel stack statistics" aria-labelledby="statistics" aria-busy={isFetching}>
      <div className="page-head">
        <h2 id="statistics">Statistics</h2>
        <div className="row">
          <label className="datasets-filter">
            Tokens by
            <select className="input" value={tokenizer} onChange={(event) => setTokenizer(event.target.value)}>
              <option value="">an estimate, four bytes each</option>
              {counters.map(({ id, displayName, hubRepo }) => (
                <option key={id} value={id}>
                  {displayName || hubRepo}
                </option>
              ))}
            </select>
          </label>
          <CopyAs commands={() => statisticsCommands(baseUrl, dataset.id, tokenizer)} />
        </div>
      </div>
      {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {!data && !error && <p className="soft">Counting…</p>}
      {data && tokenizer !== "" && !isFetching && data.tokenizerBaseModelId === "" && (
        <p className="soft">The tokenizer of this model is not on the server, so tokens are estimated. Download the model first.</p>
      )}
      {data && <Counted statistics={data} />}
    </section>
  );
}

function Counted({ statistics }: { statistics: DatasetStatistics }) {
  const { rowCount, sampledRowCount, duplicateRowCount, tokenizerBaseModelId, tokenHistogram } = statistics;
  const roles = Object.entries(statistics.roleCounts);
  const labels = Object.entries(statistics.labelCounts).sort(([, one], [, other]) => Number(other - one));
  const otherLabels = statistics.distinctLabelCount - BigInt(labels.length);
  const empty = Object.entries(statistics.emptyValueCounts).filter(([, rows]) => rows > 0n);
  const sampled = sampledRowCount < rowCount;
  const estimated = tokenizerBaseModelId === "" || sampled;
  const lengths: [name: string, value: bigint | number][] = [
    ["Median", statistics.medianTokens],
    ["Mean", Math.round(statistics.meanTokens)],
    ["95 of 100 rows", statistics.p95Tokens],
    ["99 of 100 rows", statistics.p99Tokens],
    ["Longest", statistics.maxTokens],
  ];
  return (
    <>
      <p>
        <strong>{count(statistics.tokenCount)}</strong> tokens in {count(rowCount)} rows{estimated && ", estimated"}
        {sampled && <span className="soft"> from {count(sampledRowCount)} rows</span>}
        {tokenizerBaseModelId === "" && <span className="soft"> at four bytes a token</span>}.
      </p>
      <Histogram bins={tokenHistogram} />
      <div className="statistics-facts">
        <dl className="facts">
          {lengths.map(([name, value]) => (
            <div key={name} className="fact">
              <dt>{name}</dt>
              <dd>{count(value)} tokens</dd>
            </div>
          ))}
        </dl>
        <dl className="facts">
          <dt>Repeated rows</dt>
          <dd>{duplicateRowCount === 0n ? "none" : `${count(duplicateRowCount)} (${share(duplicateRowCount, rowCount)})`}</dd>
          <dt>Empty values</dt>
          <dd>
            {empty.length === 0
              ? "none"
              : empty.map(([column, rows]) => (
                  <span key={column} className="statistics-item">
                    <code>{column}</code> in {count(rows)} {rows === 1n ? "row" : "rows"}
                  </span>
                ))}
          </dd>
          {roles.length > 0 && (
            <>
              <dt>Turns</dt>
              <dd>
                {roles.map(([role, turns]) => (
                  <span key={role} className="statistics-item">
                    {role} {count(turns)}
                  </span>
                ))}
                <span className="soft">{figure(Number(statistics.meanTurns.toPrecision(3)))} a row</span>
              </dd>
            </>
          )}
          {labels.length > 0 && (
            <>
              <dt>Labels</dt>
              <dd>
                {labels.map(([label, rows]) => (
                  <span key={label} className="statistics-item">
                    {label} {count(rows)}
                  </span>
                ))}
                {otherLabels > 0n && <span className="soft">and {count(otherLabels)} more</span>}
              </dd>
            </>
          )}
        </dl>
      </div>
    </>
  );
}

function share(part: bigint, whole: bigint): string {
  const percent = whole > 0n ? (100 * Number(part)) / Number(whole) : 0;
  return percent < 0.1 ? "below 0.1 %" : `${figure(Number(percent.toPrecision(2)))} %`;
}
