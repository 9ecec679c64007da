import { type BaseModel, DownloadState } from "@tunesmith/sdk";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { canDownload, useDownload } from "./useDownload.js";

/** Fetches a model before a job needs it. */
export function DownloadButton({ model }: { model: BaseModel }) {
  const fetching = useDownload(model);
  if (!canDownload(model)) {
    return null;
  }
  const again = model.download?.state === DownloadState.FAILED;
  return (
    <>
      <Button
        aria-disabled={fetching.isPending}
        aria-label={`${again ? "Download again" : "Download"} ${model.displayName || model.hubRepo}`}
        onClick={() => !fetching.isPending && fetching.mutate()}
      >
        {again ? "Download again" : "Download"}
      </Button>
      {fetching.error && <ErrorNotice error={fetching.error} />}
    </>
  );
}
