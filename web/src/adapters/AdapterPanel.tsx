import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Adapter, AdapterStatus, AdapterTypeSchema, type BaseModel } from "@tunesmith/sdk";
import { useId, useState } from "react";
import { Link } from "wouter";
import { AskDialog } from "../ui/AskDialog.js";
import { Button } from "../ui/Button.js";
import { getAdapterCommands } from "../ui/commands.js";
import { CopyAs } from "../ui/CopyAs.js";
import { enumWord } from "../ui/enumWord.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Notice } from "../ui/Notice.js";
import { Time } from "../ui/Time.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";
import { bytes, count, figure } from "../ui/words.js";
import { AdapterStatusBadge } from "./AdapterStatusBadge.js";
import { archiveOf, filenameOf, save } from "./archive.js";
import { EditAdapter } from "./EditAdapter.js";
import { nameOf } from "./useBaseModels.js";

interface AdapterPanelProps {
  id: string;
  /** What the list has of it, shown until it was read. */
  known: Adapter | undefined;
  models: readonly BaseModel[];
  onClose: () => void;
}

/** Everything that is known about one adapter. */
export function AdapterPanel({ id, known, models, onClose }: AdapterPanelProps) {
  const { adapters, baseUrl } = useTunesmith();
  const client = useQueryClient();
  const dialog = useDialog();
  const title = useId();
  const [doing, setDoing] = useState<"edit" | "delete">();
  const { data, error, refetch } = useQuery({
    queryKey: ["adapters", id],
    queryFn: async ({ signal }) => (await adapters.getAdapter({ id }, { signal })).adapter,
  });
  const adapter = data ?? known;
  return (
    <>
      <dialog ref={dialog} className="dialog dialog-side" aria-labelledby={title} onClose={onClose}>
        <div className="stack">
          <div className="adapter-head">
            <h2 id={title}>{adapter?.displayName ?? "Adapter"}</h2>
            <Button look="plain" aria-label="Close" onClick={() => dialog.current?.close()}>
              ✕
            </Button>
          </div>
          {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
          {!adapter && !error && <p className="soft">Loading…</p>}
          {adapter && (
            <>
              <div className="row">
                {adapter.status === AdapterStatus.READY && <Download adapter={adapter} />}
                <Button onClick={() => setDoing("edit")}>Change</Button>
                <Button look="danger" onClick={() => setDoing("delete")}>
                  Delete
                </Button>
                <CopyAs commands={() => getAdapterCommands(baseUrl, id)} />
              </div>
              {adapter.error && <Notice tone="bad">{adapter.error}</Notice>}
              {adapter.description && <p className="adapter-said">{adapter.description}</p>}
              <Facts adapter={adapter} models={models} />
              <Files adapter={adapter} />
            </>
          )}
        </div>
      </dialog>
      {/* Beside the panel: what closes in it would close it too. */}
      {adapter && doing === "edit" && <EditAdapter adapter={adapter} onClose={() => setDoing(undefined)} />}
      {adapter && doing === "delete" && (
        <AskDialog
          title={`Delete “${adapter.displayName}”?`}
          yes="Delete the adapter"
          onYes={() => adapters.deleteAdapter({ id })}
          onClose={() => setDoing(undefined)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ["adapters", "list"] });
            onClose();
          }}
        >
          It is taken off the list. Adapters that were composed of it stay as they are.
        </AskDialog>
      )}
    </>
  );
}

/** Takes all files away as one archive. */
function Download({ adapter }: { adapter: Adapter }) {
  const tunesmith = useTunesmith();
  const [received, setReceived] = useState(0);
  const fetching = useMutation({
    mutationFn: async () => save(await archiveOf(tunesmith, adapter, setReceived), filenameOf(adapter)),
  });
  return (
    <>
      <Button look="primary" aria-disabled={fetching.isPending} onClick={() => !fetching.isPending && fetching.mutate()}>
        {fetching.isPending ? `${bytes(received)} of ${bytes(adapter.sizeBytes)}` : "Download"}
      </Button>
      {fetching.error && <ErrorNotice error={fetching.error} />}
    </>
  );
}

function Facts({ adapter, models }: { adapter: Adapter; models: readonly BaseModel[] }) {
  const { lineage } = adapter;
  const metrics = Object.entries(adapter.metrics);
  return (
    <dl className="facts">
      <dt>Status</dt>
      <dd>
        <AdapterStatusBadge status={adapter.status} />
      </dd>
      <dt>Base model</dt>
      <dd>
        <Link href={`/models?id=${encodeURIComponent(adapter.baseModelId)}`}>{nameOf(models, adapter.baseModelId)}</Link>
      </dd>
      <dt>Type</dt>
      <dd>{enumWord(AdapterTypeSchema, adapter.type)}</dd>
      {adapter.rank > 0 && (
        <>
          <dt>Rank, alpha, dropout</dt>
          <dd>
            {adapter.rank}, {figure(adapter.alpha)}, {figure(adapter.dropout)}
          </dd>
        </>
      )}
      {adapter.targetModules.length > 0 && (
        <>
          <dt>Layers</dt>
          <dd className="row">
            {adapter.targetModules.map((name) => (
              <code key={name} className="tag">
                {name}
              </code>
            ))}
          </dd>
        </>
      )}
      <dt>Parameters</dt>
      <dd>{count(adapter.parameterCount)}</dd>
      {metrics.map(([name, value]) => (
        <div key={name} className="fact">
          <dt>{readable(name)}</dt>
          <dd>{figure(value)}</dd>
        </div>
      ))}
      {lineage?.jobId && (
        <>
          <dt>Made by</dt>
          <dd>
            <Link href={`/jobs/${lineage.jobId}`}>Job {lineage.jobId}</Link>
          </dd>
        </>
      )}
      {lineage && lineage.components.length > 0 && (
        <>
          <dt>Composed of</dt>
          <dd>
            <ul>
              {lineage.components.map(({ adapterId, weight }) => (
                <li key={adapterId}>
                  {figure(weight ?? 1)} × <Link href={`/adapters?id=${encodeURIComponent(adapterId)}`}>{adapterId}</Link>
                </li>
              ))}
            </ul>
          </dd>
        </>
      )}
      <dt>Added</dt>
      <dd>
        <Time time={adapter.createTime} />
      </dd>
      <dt>Id</dt>
      <dd>
        <code>{adapter.id}</code>
      </dd>
    </dl>
  );
}

function Files({ adapter }: { adapter: Adapter }) {
  return adapter.files.length === 0 ? null : (
    <section className="stack-small">
      <h3>Files</h3>
      <ul className="adapter-files">
        {adapter.files.map((file) => (
          <li key={file.path} title={`SHA-256 ${file.sha256}`}>
            <code>{file.path}</code> <span className="soft">{bytes(file.sizeBytes)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** `evaluation_loss` as people write it. */
function readable(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
