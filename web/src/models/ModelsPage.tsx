import "./models.css";
import { type BaseModel, StageSchema } from "@tunesmith/sdk";
import { useDeferredValue, useState } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { Button } from "../ui/Button.js";
import { enumWord } from "../ui/enumWord.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useEveryPage } from "../ui/useEveryPage.js";
import { usePageTitle } from "../ui/usePageTitle.js";
import { bytes, count, shortCount } from "../ui/words.js";
import { AddModel } from "./AddModel.js";
import { Cached } from "./Cached.js";
import { ModelPanel } from "./ModelPanel.js";
import { tuneAddress } from "./tuneAddress.js";

/** What can be tuned. */
export default function ModelsPage() {
  usePageTitle("Models");
  const tunesmith = useTunesmith();
  const [, navigate] = useLocation();
  const query = new URLSearchParams(useSearch());
  const [text, setText] = useState("");
  const wanted = useDeferredValue(text.trim().toLowerCase());
  const { items, data, error, refetch, whole } = useEveryPage(["models", "list"], async (pageToken, signal) => {
    const { baseModels, nextPageToken } = await tunesmith.registry.listBaseModels({ pageSize: 200, pageToken }, { signal });
    return { items: baseModels, nextPageToken };
  });
  const shown = items.filter(({ displayName, hubRepo, family }) =>
    [displayName, hubRepo, family].some((name) => name.toLowerCase().includes(wanted)),
  );
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
      {items.length > 0 && (
        <search>
          <input
            type="search"
            className="input models-search"
            placeholder="Search by name or family"
            aria-label="Search models by name or family"
            aria-keyshortcuts="/"
            data-search=""
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </search>
      )}
      {shown.length > 0 && <Models models={shown} />}
      {!data && !error && (
        <div className="panel models-waiting" role="status">
          <span className="visually-hidden">Loading</span>
        </div>
      )}
      {whole && items.length === 0 && <NoModels />}
      {whole && items.length > 0 && shown.length === 0 && (
        <div className="panel empty">
          <p>No model's name or family has “{text.trim()}” in it.</p>
          <Button onClick={() => setText("")}>Clear the search</Button>
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

function Models({ models }: { models: BaseModel[] }) {
  return (
    <div className="panel panel-table">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className="number">
              Parameters
            </th>
            <th scope="col" className="wide-only">
              Weights
            </th>
            <th scope="col" className="wide-only">
              Family
            </th>
            <th scope="col" className="wide-only">
              Stage
            </th>
            <th scope="col" className="number wide-only">
              Size
            </th>
            <th scope="col" className="wide-only">
              Here
            </th>
            <th scope="col">
              <span className="visually-hidden">What to do</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {models.map((model) => (
            <tr key={model.id}>
              <td>
                <Link href={`/models?id=${encodeURIComponent(model.id)}`} className="name">
                  {model.displayName || model.hubRepo || model.id}
                </Link>
                {model.hubRepo && model.hubRepo !== model.displayName && <div className="soft sub">{model.hubRepo}</div>}
                <div className="soft sub narrow-only">
                  {[model.family, model.dtype, enumWord(StageSchema, model.stage)].filter(Boolean).join(" · ")}
                </div>
              </td>
              <td className="number">{model.parameterCount === undefined ? "–" : shortCount(model.parameterCount)}</td>
              <td className="wide-only">{model.dtype || "–"}</td>
              <td className="wide-only">{model.family || "–"}</td>
              <td className="wide-only">{enumWord(StageSchema, model.stage)}</td>
              <td className="number wide-only">{model.sizeBytes > 0n ? bytes(model.sizeBytes) : "–"}</td>
              <td className="wide-only">
                <Cached status={model.cacheStatus} />
              </td>
              <td className="number">
                {model.trainable ? (
                  <Link href={tuneAddress(model)} className="button" aria-label={`Tune ${model.displayName || model.hubRepo}`}>
                    Tune
                  </Link>
                ) : (
                  <span className="soft">not trainable</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
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
