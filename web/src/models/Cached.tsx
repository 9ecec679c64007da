import { CacheStatus } from "@tunesmith/sdk";

/** Whether a job can start without a download. */
export function Cached({ status }: { status: CacheStatus }) {
  if (status === CacheStatus.DOWNLOADING) {
    return <span className="badge badge-busy">Downloading</span>;
  }
  return status === CacheStatus.CACHED ? (
    <span className="badge badge-good">Stored</span>
  ) : (
    <span className="badge" title="The first job on each pool downloads it">
      On the hub
    </span>
  );
}
