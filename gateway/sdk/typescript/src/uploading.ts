import { fromJson, type DescMessage, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { cutOff, unreachable } from "./connection_errors.js";
import { TunesmithError, errorOfAnswer } from "./errors.js";

/** How somebody follows a file on its way. */
export interface OnItsWay {
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

/** Sends a file to an address below the gateway's, with everything else as query parameters; answers what the server says. */
export async function sendFile<Desc extends DescMessage>(
  base: string,
  path: string,
  parameters: Record<string, string>,
  file: Blob,
  answerSchema: Desc,
  way: OnItsWay,
  fetch?: typeof globalThis.fetch,
): Promise<MessageShape<Desc>> {
  if (way.signal?.aborted) {
    throw stopped(way.signal.reason);
  }
  const send = fetch || typeof XMLHttpRequest === "undefined" ? fetched : requested;
  const answer = await send(base, `${base}${path}?${query(parameters)}`, file, way, fetch);
  if (answer.status !== 200) {
    throw errorOfAnswer(answer.status, answer.body, answer.requestId);
  }
  try {
    return fromJson(answerSchema, JSON.parse(answer.body) as JsonValue, { ignoreUnknownFields: true });
  } catch (cause) {
    throw new TunesmithError(`${base} did not answer as Tunesmith's gateway does. Check the address.`, Code.Internal, { cause });
  }
}

/** What an upload made; a server that answers without it is no Tunesmith. */
export function made<Noun>(base: string, noun: Noun | undefined, name: string): Noun {
  if (noun === undefined) {
    throw new TunesmithError(`${base} answered without ${name}. Check the address.`, Code.Internal);
  }
  return noun;
}

function query(parameters: Record<string, string>): string {
  // A form writes spaces as plus signs; the gateway reads addresses, where a plus is a plus.
  return new URLSearchParams(parameters).toString().replaceAll("+", "%20");
}

async function fetched(
  base: string,
  url: string,
  file: Blob,
  { signal, onProgress }: OnItsWay,
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
function requested(base: string, url: string, file: Blob, { signal, onProgress }: OnItsWay): Promise<Answer> {
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
