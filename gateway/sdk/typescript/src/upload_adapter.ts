import type { Adapter } from "./gen/tunesmith/registry/v1/adapter_pb.js";
import { UploadAdapterResponseSchema } from "./gen/tunesmith/registry/v1/adapter_service_pb.js";
import { newRequestId } from "./request_ids.js";
import { made, type OnItsWay, sendFile } from "./uploading.js";

/** What to upload an adapter's archive as. */
export interface UploadAdapterOptions extends OnItsWay {
  /** The base model that the adapter was trained on, by id or hub name. */
  baseModel: string;
  /** What people call it; unset means the base model's name with "adapter" behind it. */
  displayName?: string;
  description?: string;
  /** A name for this write, so that it can be repeated safely; unset means a new one. */
  requestId?: string;
}

/** Sends a tar archive as an adapter. */
export async function uploadAdapter(
  base: string,
  archive: Blob,
  options: UploadAdapterOptions,
  fetch?: typeof globalThis.fetch,
): Promise<Adapter> {
  const { baseModel, displayName, description, requestId } = options;
  const parameters: Record<string, string> = { base_model: baseModel, request_id: requestId || newRequestId() };
  if (displayName) {
    parameters.display_name = displayName;
  }
  if (description) {
    parameters.description = description;
  }
  const answer = await sendFile(base, "/v1/adapters:upload", parameters, archive, UploadAdapterResponseSchema, options, fetch);
  return made(base, answer.adapter, "an adapter");
}
