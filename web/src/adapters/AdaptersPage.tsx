import "./adapters.css";
import { type Adapter, AdapterStatus, AdapterStatusSchema, AdapterType, AdapterTypeSchema } from "@tunesmith/sdk";
import { useState } from "react";
import { useLocation, useSearch } from "wouter";
import { Button } from "../ui/Button.js";
import { EnumSelect } from "../ui/EnumSelect.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useEveryPage } from "../ui/useEveryPage.js";
import { usePageTitle } from "../ui/usePageTitle.js";
import { count } from "../ui/words.js";
import { AdapterPanel } from "./AdapterPanel.js";
import { AdapterRows } from "./AdapterRows.js";
import { ComposeDialog } from "./ComposeDialog.js";
import { UploadAdapter } from "./UploadAdapter.js";
import { nameOf, useBaseModels } from "./useBaseModels.js";

const LOOK_MS = 2_000;

/** Trained weights beside base models. */
export default function AdaptersPage() {
  usePageTitle("Adapters");
  const { adapters } = useTunesmith();
  const [, navigate] = useLocation();
  const query = new URLSearchParams(useSearch());
  const models = useBaseModels();
  const [baseModel, setBaseModel] = useState("");
  const [type, setType] = useState(AdapterType.UNSPECIFIED);
  const [status, setStatus] = useState(AdapterStatus.UNSPECIFIED);
  const [picked, setPicked] = useState<readonly Adapter[]>([]);
  const [composing, setComposing] = useState(false);
  const filtered = baseModel !== "" || type !== AdapterType.UNSPECIFIED || status !== AdapterStatus.UNSPECIFIED;
  const { items, data, error, refetch, whole } = useEveryPage(
    ["adapters", "list", baseModel, type, status],
    async (pageToken, signal) => {
      const answer = await adapters.listAdapters({ pageSize: 200, pageToken, baseModel, type, status }, { signal });
      return { items: answer.adapters, nextPageToken: answer.nextPageToken };
    },
    { moves: (adapter) => adapter.status === AdapterStatus.PENDING, everyMs: LOOK_MS },
  );
  const id = query.get("id");
  const shut = () => navigate("/adapters");
  const open = (adapter: Adapter) => navigate(`/adapters?id=${encodeURIComponent(adapter.id)}`);
  const tuned = [...new Set(models.map((model) => model.id))];
  return (
    <>
      <div className="page-head">
        <h1>
          Adapters {data && items.length > 0 && <span className="total">{count(items.length)}</span>}
        </h1>
        <div className="row">
          {picked.length > 0 && (
            <>
              <span className="soft" role="status">
                {picked.length} picked
              </span>
              <Button look="plain" onClick={() => setPicked([])}>
                Clear
              </Button>
              <Button aria-disabled={picked.length < 2} onClick={() => picked.length > 1 && setComposing(true)}>
                {picked.length < 2 ? "Pick another to compose" : `Compose ${picked.length}`}
              </Button>
            </>
          )}
          <Button onClick={() => navigate("/adapters?upload")}>Upload an adapter</Button>
        </div>
      </div>
      {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {(items.length > 0 || filtered) && (
        <div className="filters">
          <label>
            Base model
            <select className="input" value={baseModel} onChange={(event) => setBaseModel(event.target.value)}>
              <option value="">All</option>
              {tuned.map((one) => (
                <option key={one} value={one}>
                  {nameOf(models, one)}
                </option>
              ))}
            </select>
          </label>
          <label>
            Type
            <EnumSelect schema={AdapterTypeSchema} none="All" value={type} onChange={setType} />
          </label>
          <label>
            Status
            <EnumSelect schema={AdapterStatusSchema} none="All" value={status} onChange={setStatus} />
          </label>
        </div>
      )}
      {!data && !error && (
        <div className="panel adapters-waiting" role="status">
          <span className="visually-hidden">Loading</span>
        </div>
      )}
      {items.length > 0 && (
        <AdapterRows
          adapters={items}
          models={models}
          picked={picked}
          onPick={(adapter, on) => setPicked(on ? [...picked, adapter] : picked.filter((one) => one.id !== adapter.id))}
        />
      )}
      {whole && items.length === 0 && !filtered && (
        <div className="panel empty">
          <h2>No adapters yet</h2>
          <p className="soft">
            An adapter is what a LoRA job trains. Register one on its job's page, or upload one that was trained elsewhere.
          </p>
          <Button look="primary" onClick={() => navigate("/adapters?upload")}>
            Upload an adapter
          </Button>
        </div>
      )}
      {whole && items.length === 0 && filtered && (
        <div className="panel empty">
          <p>No adapter is like that.</p>
          <Button
            onClick={() => {
              setBaseModel("");
              setType(AdapterType.UNSPECIFIED);
              setStatus(AdapterStatus.UNSPECIFIED);
            }}
          >
            Show all adapters
          </Button>
        </div>
      )}
      {id && <AdapterPanel key={id} id={id} known={items.find((one) => one.id === id)} models={models} onClose={shut} />}
      {query.has("upload") && <UploadAdapter models={models} onClose={shut} onAdded={open} />}
      {composing && (
        <ComposeDialog
          adapters={picked}
          onClose={() => setComposing(false)}
          onComposed={(adapter) => {
            setComposing(false);
            setPicked([]);
            open(adapter);
          }}
        />
      )}
    </>
  );
}
