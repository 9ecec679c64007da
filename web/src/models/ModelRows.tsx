import { type BaseModel, CacheStatus, LifecycleSchema, StageSchema } from "@tunesmith/sdk";
import { Link } from "wouter";
import { enumWord } from "../ui/enumWord.js";
import { ModelChips } from "../ui/ModelChips.js";
import { bytes, count, duration, shortCount } from "../ui/words.js";
import { Cached } from "./Cached.js";
import { DownloadButton } from "./DownloadButton.js";
import { DownloadProgress } from "./DownloadProgress.js";
import { tuneAddress } from "./tuneAddress.js";

/** The models as a table. */
export function ModelRows({ models }: { models: readonly BaseModel[] }) {
  return (
    <div className="panel panel-table">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className="number">
              Parameters
            </th>
            <th scope="col" className="number wide-only">
              Context
            </th>
            <th scope="col" className="wide-only">
              Family
            </th>
            <th scope="col" className="wide-only">
              Stage
            </th>
            <th scope="col" className="wide-only">
              Licence
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
            <Row key={model.id} model={model} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ model }: { model: BaseModel }) {
  const name = model.displayName || model.hubRepo || model.id;
  const context = model.architecture?.maxPositionCount;
  return (
    <tr>
      <td>
        <Link href={`/models?id=${encodeURIComponent(model.id)}`} className="name">
          {name}
        </Link>
        {model.hubRepo && model.hubRepo !== model.displayName && <div className="soft sub">{model.hubRepo}</div>}
        <div className="soft sub narrow-only">
          {[model.family, model.dtype, enumWord(StageSchema, model.stage)].filter(Boolean).join(" · ")}
        </div>
        <div className="narrow-only">
          <DownloadProgress model={model} />
        </div>
        {(model.quantized || model.gguf || model.private) && <ModelChips model={model} only={["Quantized", "GGUF", "Private"]} />}
      </td>
      <td className="number">
        {model.parameterCount === undefined ? "–" : shortCount(model.parameterCount)}
        <div className="soft sub wide-only">{model.dtype}</div>
      </td>
      <td className="number wide-only">{context === undefined ? "–" : count(context)}</td>
      <td className="wide-only">{model.family || "–"}</td>
      <td className="wide-only">
        {enumWord(StageSchema, model.stage)}
        <div className="soft sub">{model.lifecycle ? enumWord(LifecycleSchema, model.lifecycle) : ""}</div>
      </td>
      <td className="wide-only models-license">{model.license || "–"}</td>
      <td className="wide-only">
        <Cached status={model.cacheStatus} />
        <div className="soft sub">{sizeOf(model)}</div>
        <DownloadProgress model={model} />
      </td>
      <td className="number">
        <div className="models-do">
          <DownloadButton model={model} />
          {model.trainable ? (
            <Link href={tuneAddress(model)} className="button" aria-label={`Tune ${name}`}>
              Tune
            </Link>
          ) : (
            <span className="soft">not trainable</span>
          )}
        </div>
      </td>
    </tr>
  );
}

/** What is stored, or what a download takes. */
function sizeOf({ cacheStatus, sizeBytes, downloadBytes, estimatedDownloadSeconds }: BaseModel): string {
  if (sizeBytes > 0n) {
    return bytes(sizeBytes);
  }
  if (cacheStatus !== CacheStatus.NOT_CACHED || downloadBytes === undefined) {
    return "";
  }
  const time = estimatedDownloadSeconds === undefined ? "" : `, about ${duration(estimatedDownloadSeconds)}`;
  return `${bytes(downloadBytes)}${time}`;
}
