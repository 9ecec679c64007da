import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type BaseModel, CacheStatus } from "@tunesmith/sdk";
import { useTunesmith } from "../ui/tunesmith.js";

/** How often a download is looked at. */
export const LOOK_MS = 1_500;

/** Whether a model's files can be fetched into the registry: they are on the hub, and not here. */
export function canDownload(model: BaseModel): boolean {
  return model.cacheStatus === CacheStatus.NOT_CACHED && model.hubRepo !== "";
}

/** Fetches a model's files; the lists say how far it is. */
export function useDownload(model: BaseModel) {
  const { registry } = useTunesmith();
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => registry.downloadBaseModel({ id: model.id }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["models"] }),
  });
}
