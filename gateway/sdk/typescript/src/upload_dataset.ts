import { DatasetFormatSchema, type Dataset, type DatasetFormat } from "./gen/tunesmith/registry/v1/dataset_pb.js";
import { UploadDatasetResponseSchema } from "./gen/tunesmith/registry/v1/registry_service_pb.js";
import { newRequestId } from "./request_ids.js";
import { made, type OnItsWay, sendFile } from "./uploading.js";

/** What to upload a file as. */
export interface UploadOptions extends OnItsWay {
  /** Its ending says what the file is: .jsonl, .json, .csv, .parquet, or .zip for pictures. */
  filename: string;
  /** What people call the dataset; unset means the file's name. */
  displayName?: string;
  /** What the rows are; unset means that it is detected. */
  format?: DatasetFormat;
  /** A name for this write, so that it can be repeated safely; unset means a new one. */
  requestId?: string;
}

/** Sends a file as a dataset. */
export async function uploadDataset(
  base: string,
  file: Blob,
  options: UploadOptions,
  fetch?: typeof globalThis.fetch,
): Promise<Dataset> {
  const { filename, displayName, format, requestId } = options;
  const parameters: Record<string, string> = { filename, request_id: requestId || newRequestId() };
  if (displayName) {
    parameters.display_name = displayName;
  }
  if (format) {
    parameters.format = DatasetFormatSchema.value[format]?.name ?? String(format);
  }
  const answer = await sendFile(base, "/v1/datasets:upload", parameters, file, UploadDatasetResponseSchema, options, fetch);
  return made(base, answer.dataset, "a dataset");
}
