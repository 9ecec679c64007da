import { useQuery } from "@tanstack/react-query";
import type { BaseModel } from "@tunesmith/sdk";
import { useTunesmith } from "../ui/tunesmith.js";

/** The registered base models, for choices and names. */
export function useBaseModels(): readonly BaseModel[] {
  const { registry } = useTunesmith();
  const { data } = useQuery({
    queryKey: ["models", "named"],
    queryFn: async ({ signal }) => (await registry.listBaseModels({ pageSize: 200 }, { signal })).baseModels,
  });
  return data ?? [];
}

/** What people call a base model; its id where it is no longer listed. */
export function nameOf(models: readonly BaseModel[], id: string): string {
  const model = models.find((one) => one.id === id);
  return model ? model.displayName || model.hubRepo : id;
}
