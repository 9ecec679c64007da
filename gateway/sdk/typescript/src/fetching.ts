import { cutOff, unreachable } from "./connection_errors.js";

type Fetch = typeof globalThis.fetch;

/** The same fetch, whose failures say whether an answer had begun, which a plain TypeError does not. */
export function fetchFrom(base: string, fetch?: Fetch): Fetch {
  return async (input, init) => {
    let answer: Response;
    try {
      answer = await (fetch ?? globalThis.fetch)(input, init);
    } catch (error) {
      throw init?.signal?.aborted ? error : unreachable(base, error);
    }
    if (!answer.body) {
      return answer;
    }
    const { status, statusText, headers } = answer;
    return new Response(watched(base, answer.body, init?.signal ?? undefined), { status, statusText, headers });
  };
}

function watched(base: string, body: ReadableStream<Uint8Array>, signal?: AbortSignal): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          controller.close();
        } else {
          controller.enqueue(value);
        }
      } catch (error) {
        controller.error(signal?.aborted ? error : cutOff(base, error));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
