import { type BaseModel, CacheStatus, DownloadState } from "@tunesmith/sdk";
import { bytes, duration } from "../ui/words.js";

/** How far a download is, or why the last one failed; nothing of a model that is not on its way. */
export function DownloadProgress({ model }: { model: BaseModel }) {
  const { download, cacheStatus } = model;
  if (download?.state === DownloadState.FAILED) {
    return (
      <p className="download-failed sub" role="alert">
        {download.error || "The download failed."}
      </p>
    );
  }
  if (cacheStatus !== CacheStatus.DOWNLOADING) {
    return null;
  }
  const [done, total] = [Number(download?.doneBytes ?? 0n), Number(download?.totalBytes ?? 0n)];
  const left = download?.remainingSeconds;
  return (
    <div className="download">
      <progress
        className="progress"
        aria-label={`Download of ${model.displayName}`}
        max={1}
        {...(total > 0 ? { value: Math.min(1, done / total) } : {})}
      />
      <span className="soft sub">
        {total > 0 ? `${bytes(done)} of ${bytes(total)}` : "Beginning…"}
        {left !== undefined && `, ${duration(left)} left`}
      </span>
    </div>
  );
}
