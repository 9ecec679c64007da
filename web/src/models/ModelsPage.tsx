import "./models.css";
import { type BaseModel, CacheStatus } from "@tunesmith/sdk";
import { useDeferredValue, useState } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useEveryPage } from "../ui/useEveryPage.js";
import { usePageTitle } from "../ui/usePageTitle.js";
import { count } from "../ui/words.js";
import { AddModel } from "./AddModel.js";
import { ModelFilters } from "./ModelFilters.js";
import { NO_FILTER, passes } from "./modelFilter.js";
import { ModelPanel } from "./ModelPanel.js";
import { ModelRows } from "./ModelRows.js";
import { LOOK_MS } from "./useDownload.js";

const isDownloading = ({ cacheStatus }: BaseModel) => cacheStatus === CacheStatus.DOWNLOADING;

/** What can be tuned. */
export default function ModelsPage() {
  usePageTitle("Models");
  const tunesmith = useTunesmith();
  const [, navigate] = useLocation();
  const query = new URLSearchParams(useSearch());
  const [filter, setFilter] = useState(NO_FILTER);
  const wanted = useDeferredValue(filter);
  const { items, data, error, refetch, whole } = useEveryPage(
    ["models", "list"],
    async (pageToken, signal) => {
      const { baseModels, nextPageToken } = await tunesmith.registry.listBaseModels({ pageSize: 200, pageToken }, { signal });
      return { items: baseModels, nextPageToken };
    },
    { moves: isDownloading, everyMs: LOOK_MS },
  );
  const shown = items.filter((model) => passes(model, wanted));
  const families = [...new Set(items.map(({ family }) => family).filter(Boolean))].sort();
  const id = query.get("id");
  const artifact = query.get("artifact");
  const shut = () => navigate("/models");
  return (
    <>
      <div className="page-head">
        <h1>
          Models {data && items.length > 0 && <span className="total">{count(items.length)}</span>}
        </h1>
        <Button onClick={() => navigate("/models?add")}>Add a model</Button>
      </div>
      {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {items.length > 0 && <ModelFilters families={families} filter={filter} onFilter={setFilter} />}
      {shown.length > 0 && <ModelRows models={shown} />}
      {!data && !error && (
        <div className="panel models-waiting" role="status">
          <span className="visually-hidden">Loading</span>
        </div>
      )}
      {whole && items.length === 0 && <NoModels />}
      {whole && items.length > 0 && shown.length === 0 && (
        <div className="panel empty">
          <p>No model is like that.</p>
          <Button onClick={() => setFilter(NO_FILTER)}>Show all models</Button>
        </div>
      )}
      {id && <ModelPanel key={id} id={id} known={items.find((model) => model.id === id || model.hubRepo === id)} onClose={shut} />}
      {(query.has("add") || artifact) && (
        <AddModel
          artifactId={artifact ?? ""}
          onClose={shut}
          onAdded={(model) => navigate(`/models?id=${encodeURIComponent(model.id)}`)}
        />
      )}
    </>
  );
}

function NoModels() {
  return (
    <div className="panel empty">
      <h2>No models yet</h2>
      <p className="soft">A base model is what jobs tune: one from the Hugging Face Hub, or a folder on the server.</p>
      <Link href="/models?add" className="button button-primary">
        Add a model
      </Link>
      <p className="soft">or, on the command line:</p>
      <code className="code">tunesmith models import organisation/model</code>
    </div>
  );
}
