import { useQueryClient } from "@tanstack/react-query";
import type { Tunesmith } from "@tunesmith/sdk";
import { useEffect, useSyncExternalStore } from "react";
import { useTunesmith } from "../../ui/tunesmith.js";
import { type Upload, UploadQueue } from "./queue.js";

const QUEUES = new WeakMap<Tunesmith, UploadQueue>();

/** The one queue of a client; it outlives the page. */
export function useUploads(): { queue: UploadQueue; uploads: readonly Upload[] } {
  const tunesmith = useTunesmith();
  const client = useQueryClient();
  let queue = QUEUES.get(tunesmith);
  if (!queue) {
    queue = new UploadQueue(tunesmith, () => void client.invalidateQueries({ queryKey: ["datasets"] }));
    QUEUES.set(tunesmith, queue);
  }
  const uploads = useSyncExternalStore(queue.subscribe, queue.uploads);
  const sending = uploads.some(({ state }) => state === "waiting" || state === "sending" || state === "checking");
  useEffect(() => {
    const leaving = (event: BeforeUnloadEvent) => event.preventDefault();
    if (sending) {
      window.addEventListener("beforeunload", leaving);
    }
    return () => window.removeEventListener("beforeunload", leaving);
  }, [sending]);
  return { queue, uploads };
}
