import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type BaseModel, CacheStatus, LifecycleSchema, ModalitySchema, ModuleKindSchema, ProfileStatus, StageSchema } from "@tunesmith/sdk";
import { useId, useState } from "react";
import { Link } from "wouter";
import { AskDialog } from "../ui/AskDialog.js";
import { Button } from "../ui/Button.js";
import { getBaseModelCommands } from "../ui/commands.js";
import { CopyAs } from "../ui/CopyAs.js";
import { enumWord } from "../ui/enumWord.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { ModelChips } from "../ui/ModelChips.js";
import { Time } from "../ui/Time.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";
import { bytes, count } from "../ui/words.js";
import { Cached } from "./Cached.js";
import { DownloadButton } from "./DownloadButton.js";
import { DownloadProgress } from "./DownloadProgress.js";
import { EditModel } from "./EditModel.js";
import { tuneAddress } from "./tuneAddress.js";
import { LOOK_MS } from "./useDownload.js";

interface ModelPanelProps {
  id: string;
  /** What the list has of it, shown until it was read. */
  known: BaseModel | undefined;
  onClose: () => void;
}

/** Everything that is known about one model. */
export function ModelPanel({ id, known, onClose }: ModelPanelProps) {
  const tunesmith = useTunesmith();
  const dialog = useDialog();
  const title = useId();
  const client = useQueryClient();
  const [doing, setDoing] = useState<"edit" | "delete">();
  const { data, error, refetch } = useQuery({
    queryKey: ["models", id],
    queryFn: async ({ signal }) => (await tunesmith.registry.getBaseModel({ id }, { signal })).baseModel,
    refetchInterval: ({ state }) => (isMoving(state.data) ? LOOK_MS : false),
  });
  const model = data ?? known;
  return (
    <>
      <dialog ref={dialog} className="dialog dialog-side" aria-labelledby={title} onClose={onClose}>
        <div className="stack">
          <div className="panel-head">
            <h2 id={title}>{model ? model.displayName || model.hubRepo || model.id : "Model"}</h2>
            <Button look="plain" aria-label="Close" onClick={() => dialog.current?.close()}>
              ✕
            </Button>
          </div>
          {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
          {!model && !error && <p className="soft">Loading…</p>}
          {model && (
            <>
              <div className="row">
                {model.trainable && (
                  <Link href={tuneAddress(model)} className="button button-primary">
                    Tune this model
                  </Link>
                )}
                <DownloadButton model={model} />
                <Button onClick={() => setDoing("edit")}>Change</Button>
                <Button look="danger" onClick={() => setDoing("delete")}>
                  Delete
                </Button>
                <CopyAs commands={() => getBaseModelCommands(tunesmith.baseUrl, model.id)} />
              </div>
              <ModelChips model={model} />
              <DownloadProgress model={model} />
              <Facts model={model} />
              <Shape model={model} />
              <Modules model={model} />
              <Template model={model} />
              <Files model={model} />
            </>
          )}
        </div>
      </dialog>
      {/* Beside the panel: what closes in it would close it too. */}
      {model && doing === "edit" && <EditModel model={model} onClose={() => setDoing(undefined)} />}
      {model && doing === "delete" && (
        <AskDialog
          title={`Delete “${model.displayName || model.hubRepo}”?`}
          yes="Delete the model"
          onYes={() => tunesmith.registry.deleteBaseModel({ id: model.id })}
          onClose={() => setDoing(undefined)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ["models", "list"] });
            onClose();
          }}
        >
          No new job finds it. Jobs that were created with it go on, and its files stay for them.
        </AskDialog>
      )}
    </>
  );
}

/** Whether something is happening to a model that the panel shows. */
function isMoving(model: BaseModel | undefined): boolean {
  return model?.cacheStatus === CacheStatus.DOWNLOADING || model?.profileStatus === ProfileStatus.PENDING;
}

function Facts({ model }: { model: BaseModel }) {
  return (
    <dl className="facts">
      <dt>Id</dt>
      <dd>
        <code>{model.id}</code>
      </dd>
      {model.hubRepo && (
        <>
          <dt>Hub name</dt>
          <dd>
            {model.hubRepo}
            {model.revision && <span className="soft"> at {model.revision}</span>}
          </dd>
        </>
      )}
      <dt>Family</dt>
      <dd>{model.family || "not known before it was downloaded"}</dd>
      <dt>Parameters</dt>
      <dd>{model.parameterCount === undefined ? "not known before it was downloaded" : count(model.parameterCount)}</dd>
      {model.dtype && (
        <>
          <dt>Weights</dt>
          <dd>
            {model.dtype}
            {model.quantized && ", quantized"}
            {model.gguf && ", GGUF"}
          </dd>
        </>
      )}
      <dt>Reads</dt>
      <dd>{enumWord(ModalitySchema, model.modality)}</dd>
      <dt>Stage</dt>
      <dd>{enumWord(StageSchema, model.stage)}</dd>
      <dt>Lifecycle</dt>
      <dd>{model.lifecycle ? enumWord(LifecycleSchema, model.lifecycle) : "not said"}</dd>
      <dt>Licence</dt>
      <dd>{model.license || "not known"}</dd>
      {model.private && (
        <>
          <dt>Credential</dt>
          <dd>{model.credentialId ? <code>{model.credentialId}</code> : "none yet: name one under Change"}</dd>
        </>
      )}
      <dt>Where</dt>
      <dd>
        <Cached status={model.cacheStatus} /> {model.sizeBytes > 0n && bytes(model.sizeBytes)}
      </dd>
      <dt>Can be</dt>
      <dd>{[model.trainable && "tuned", model.servable && "served"].filter(Boolean).join(" and ") || "neither tuned nor served"}</dd>
      {model.tokenizer && (
        <>
          <dt>Tokenizer</dt>
          <dd>{model.tokenizer}</dd>
        </>
      )}
      {model.lineage?.jobId && (
        <>
          <dt>Made by</dt>
          <dd>
            <Link href={`/jobs/${model.lineage.jobId}`}>Job {model.lineage.jobId}</Link>
          </dd>
        </>
      )}
      <dt>Added</dt>
      <dd>
        <Time time={model.createTime} />
      </dd>
    </dl>
  );
}

function Shape({ model }: { model: BaseModel }) {
  const shape = model.architecture;
  const sizes: [name: string, size: number | undefined][] = [
    ["Layers", shape?.layerCount],
    ["Hidden size", shape?.hiddenSize],
    ["Intermediate size", shape?.intermediateSize],
    ["Attention heads", shape?.attentionHeadCount],
    ["Key-value heads", shape?.keyValueHeadCount],
    ["Vocabulary", shape?.vocabularySize],
    ["Longest sequence", shape?.maxPositionCount],
    ["Head size", shape?.headSize],
    ["Sliding window", shape?.slidingWindow],
    ["Experts", shape?.expertCount],
    ["Experts a token", shape?.activeExpertCount],
    ["Image size", shape?.imageSize],
    ["Patch size", shape?.patchSize],
  ];
  const known = sizes.filter(([, size]) => size !== undefined);
  return known.length === 0 ? null : (
    <section className="stack-small">
      <h3>Architecture</h3>
      <dl className="facts">
        {known.map(([name, size]) => (
          <div key={name} className="fact">
            <dt>{name}</dt>
            <dd>{count(size ?? 0)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Modules({ model }: { model: BaseModel }) {
  const { profile } = model;
  if (!profile) {
    return (
      <>
        {model.profileStatus === ProfileStatus.PENDING && (
          <p className="soft" role="status">
            A pool will build it from its configuration; its modules are known then.
          </p>
        )}
        {model.profileStatus === ProfileStatus.FAILED && <p className="soft">{model.profileError}</p>}
        {model.linearModules.length > 0 && (
          <section className="stack-small">
            <h3>Layers that can get an adapter</h3>
            <p className="row">
              {model.linearModules.map((name) => (
                <code key={name} className="tag">
                  {name}
                </code>
              ))}
            </p>
          </section>
        )}
      </>
    );
  }
  return (
    <section className="stack-small">
      <h3>Modules</h3>
      <p className="soft">
        {profile.modelClass}, built by transformers {profile.transformersVersion}: {count(profile.parameterCount)} parameters.
      </p>
      <div className="modules" tabIndex={0} role="region" aria-label="Modules">
        <table className="modules-table">
          <thead>
            <tr>
              <th scope="col">Path</th>
              <th scope="col">Kind</th>
              <th scope="col" className="number">
                In × out
              </th>
              <th scope="col" className="number">
                Count
              </th>
              <th scope="col">Adapters</th>
            </tr>
          </thead>
          <tbody>
            {profile.modules.map((module) => (
              <tr key={`${module.path} ${module.inputSize} ${module.outputSize}`}>
                <th scope="row">
                  <code>{module.path}</code>
                </th>
                <td>{enumWord(ModuleKindSchema, module.kind)}</td>
                <td className="number">
                  {count(module.inputSize)} × {count(module.outputSize)}
                </td>
                <td className="number">{count(module.count)}</td>
                <td>{module.adaptedByAllLinear ? "all-linear" : module.adaptable ? "by name" : ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Template({ model }: { model: BaseModel }) {
  if (!model.chatTemplate) {
    return model.files.length === 0 ? null : <p className="soft">It has no chat template, so it can't be tuned with strategy chat.</p>;
  }
  return (
    <details>
      <summary>Chat template</summary>
      <pre className="code template" tabIndex={0} role="region" aria-label="Chat template">
        {model.chatTemplate}
      </pre>
    </details>
  );
}

function Files({ model }: { model: BaseModel }) {
  return model.files.length === 0 ? null : (
    <details>
      <summary>
        {count(model.files.length)} {model.files.length === 1 ? "file" : "files"}
      </summary>
      <ul className="files">
        {model.files.map((file) => (
          <li key={file.path} title={`SHA-256 ${file.sha256}`}>
            <code>{file.path}</code> <span className="soft">{bytes(file.sizeBytes)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
