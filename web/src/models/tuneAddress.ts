import type { BaseModel } from "@tunesmith/sdk";

/** Where a job with this model is filled in. */
export function tuneAddress(model: BaseModel): string {
  return `/jobs/new?base_model=${encodeURIComponent(model.id)}`;
}
