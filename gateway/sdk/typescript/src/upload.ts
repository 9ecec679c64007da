import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { cutOff, unreachable } from "./connection_errors.js";
import { TunesmithError, errorOfAnswer } from "./errors.js";
import { DatasetFormatSchema, type Dataset, type DatasetFormat } from "./gen/tunesmith/registry/v1/dataset_pb.js";
import { UploadDatasetResponseSchema } from "./gen/tunesmith/registry/v1/registry_service_pb.js";
import { newRequestId } from "./request_ids.js";

/** What to upload a file as. */
export interface UploadOptions {
  /** Its ending says what the file is: .jsonl, .json, .csv, .parquet. */
  filename: string;
  /** What people call the dataset; unset means the file's name. */
  displayName?: string;
  /** What the rows are; unset means that it is detected. */
  format?: DatasetFormat;
  /** A name for this write, so that it can be repeated safely; unset means a new one. */
  requestId?: string;
  /** Ends the upload when it is aborted; the promise then rejects with code Canceled. */
  signal?: AbortSignal;
  /** Told how many bytes have left, in browsers as they leave; elsewhere at the begin and at the end. */
  onProgress?: (sent: number, total: number) => void;
}

interface Answer {
  status: number;
  body: string;
  requestId: string | null;
}

// Whatever the file is: of a type such as application/json the gateway would expect a message.
const CONTENT_TYPE = "application/octet-stream";
const REQUEST_ID_HEADER = "x-request-id";

/** Sends a file as a dataset. */
export async function uploadDataset(
  base: string,
  file: Blob,
  options: UploadOptions,
  fetch?: typeof globalThis.fetch,
): Promise<Dataset> {
  const url = `${base}/v1/datasets:upload?${query(options)}`;
  if (options.signal?.aborted) {
    throw stopped(options.signal.reason);
  }
  const send = fetch || typeof XMLHttpRequest === "undefined" ? fetched : requested;
  const answer = await send(base, url, file, options, fetch);
  if (answer.status !== 200) {
    throw errorOfAnswer(answer.status, answer.body, answer.requestId);
  }
  return datasetOf(base, answer);
}

function query({ filename, displayName, format, requestId }: UploadOptions): string {
  const parameters = new URLSearchParams({ filename, request_id: requestId || newRequestId() });
  if (displayName) {
    parameters.set("display_name", displayName);
  }
  if (format) {
    parameters.set("format", DatasetFormatSchema.value[format]?.name ?? String(format));
  }
  // A form writes spaces as plus signs; the gateway reads addresses, where a plus is a plus.
  return parameters.toString().replaceAll("+", "%20");
}

function datasetOf(base: string, answer: Answer): Dataset {
  try {
    const { dataset } = fromJson(UploadDatasetResponseSchema, JSON.parse(answer.body) as JsonValue, {
      ignoreUnknownFields: true,
    });
    if (dataset) {
      return dataset;
    }
  } catch (cause) {
    throw new TunesmithError(`${base} did not answer as Tunesmith's gateway does. Check the address.`, Code.Internal, { cause });
  }
  throw new TunesmithError(`${base} answered without a dataset. Check the address.`, Code.Internal);
}

async function fetched(
  base: string,
  url: string,
  file: Blob,
  { signal, onProgress }: UploadOptions,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Promise<Answer> {
  onProgress?.(0, file.size);
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      body: file,
      headers: { "content-type": CONTENT_TYPE },
      signal: signal ?? null,
    });
  } catch (error) {
    throw signal?.aborted ? stopped(error) : unreachable(base, error);
  }
  try {
    const answer = { status: response.status, body: await response.text(), requestId: response.headers.get(REQUEST_ID_HEADER) };
    onProgress?.(file.size, file.size);
    return answer;
  } catch (error) {
    throw signal?.aborted ? stopped(error) : cutOff(base, error);
  }
}

// fetch tells nobody how much of a body has left.
function requested(base: string, url: string, file: Blob, { signal, onProgress }: UploadOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("POST", url);
    request.setRequestHeader("content-type", CONTENT_TYPE);
    request.upload.onprogress = (event) => onProgress?.(event.loaded, file.size);
    request.onload = () =>
      resolve({ status: request.status, body: request.responseText, requestId: request.getResponseHeader(REQUEST_ID_HEADER) });
    request.onerror = () => reject(unreachable(base, undefined));
    request.onabort = () => reject(stopped(signal?.reason));
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    request.send(file);
  });
}

function stopped(cause: unknown): TunesmithError {
  return new TunesmithError("The upload was stopped. Nothing is stored of a file that did not arrive whole.", Code.Canceled, {
    cause,
  });
}
