import { type BaseModel, CacheStatus, Lifecycle, LifecycleSchema, ProfileStatus, Stage, StageSchema } from "@tunesmith/sdk";
import { enumWord } from "./enumWord.js";
import { bytes, duration } from "./words.js";

/** A word about a model. */
export interface ModelChip {
  word: string;
  tone?: "good" | "warn" | "bad" | "busy";
  /** What it means, for those who ask. */
  title: string;
}

/** What matters of a model before it is tuned, in words. */
export function modelChips(model: BaseModel): ModelChip[] {
  const chips: (ModelChip | false)[] = [
    cacheChip(model),
    model.trainable
      ? { word: "Trainable", tone: "good", title: "Jobs may tune it" }
      : { word: "Not trainable", tone: "bad", title: "No job may tune it" },
    model.servable && { word: "Servable", title: "It can be served as it is" },
    model.quantized && { word: "Quantized", title: "Its weights are stored quantized: adapters can be trained, full training is refused" },
    model.gguf && { word: "GGUF", tone: "warn", title: "GGUF files are served, not trained" },
    model.stage !== Stage.UNSPECIFIED && { word: enumWord(StageSchema, model.stage), title: "How far along it is" },
    model.lifecycle !== Lifecycle.UNSPECIFIED && {
      word: enumWord(LifecycleSchema, model.lifecycle),
      tone: model.lifecycle === Lifecycle.PRODUCTION ? "good" : undefined,
      title: model.lifecycle === Lifecycle.PRODUCTION ? "Vetted" : "New: try it before relying on it",
    },
    model.hasChatTemplate !== undefined && {
      word: model.hasChatTemplate ? "Chat template" : "No chat template",
      title: model.hasChatTemplate ? "It can be tuned on conversations" : "Strategy chat is refused for it",
    },
    model.private && {
      word: model.credentialId ? `Private, ${model.credentialId}` : "Private, no credential",
      tone: model.credentialId ? undefined : "warn",
      title: "Its repository asks for a credential",
    },
    model.profileStatus === ProfileStatus.PENDING && { word: "Not profiled yet", tone: "busy", title: "Estimates are rough until a pool has built it" },
    model.profileStatus === ProfileStatus.FAILED && { word: "No profile", tone: "warn", title: model.profileError || "No pool could build it" },
  ];
  return chips.filter((chip) => chip !== false);
}

/** Whether a job starts without a download, and what one takes. */
function cacheChip({ cacheStatus, sizeBytes, downloadBytes, estimatedDownloadSeconds }: BaseModel): ModelChip {
  if (cacheStatus === CacheStatus.CACHED) {
    return { word: sizeBytes > 0n ? `Stored, ${bytes(sizeBytes)}` : "Stored", tone: "good", title: "A job starts without a download" };
  }
  if (cacheStatus === CacheStatus.DOWNLOADING) {
    return { word: "Downloading", tone: "busy", title: "On its way into the registry" };
  }
  const size = downloadBytes === undefined ? "size unknown" : bytes(downloadBytes);
  const time = estimatedDownloadSeconds === undefined ? "" : `, about ${duration(estimatedDownloadSeconds)}`;
  return { word: `On the hub, ${size}${time}`, tone: "warn", title: "The first job on each pool downloads it" };
}
