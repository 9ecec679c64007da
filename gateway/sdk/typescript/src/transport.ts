import type { DescMessage, DescMethodStreaming, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ContextValues, StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import { explained } from "./connection_errors.js";
import { backOff, pause } from "./pause.js";
import { isRepeatable, named } from "./request_ids.js";

/** How long a unary call may take with all its tries, unless its caller says otherwise. */
export const CALL_TIMEOUT_MS = 30_000;
/** How often a call is tried again that found no server. */
export const REPEATS = 3;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 2_000;

/**
 * A transport that names writes, tries again where that is safe, and throws TunesmithErrors.
 *
 * A wrapper rather than interceptors, because connect turns what an interceptor throws into an error of its own.
 */
export function carefulTransport(inner: Transport, base: string): Transport {
  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: MessageInitShape<I>,
      contextValues?: ContextValues,
    ): Promise<UnaryResponse<I, O>> {
      const request = named(method, input);
      const budget = timeoutMs ?? CALL_TIMEOUT_MS;
      const end = budget > 0 ? Date.now() + budget : Infinity;
      for (let attempt = 1; ; attempt += 1) {
        const left = end - Date.now();
        try {
          return await inner.unary(method, signal, left === Infinity ? 0 : Math.max(1, left), header, request, contextValues);
        } catch (caught) {
          const error = explained(base, caught);
          const delay = backOff(attempt, FIRST_DELAY_MS, LONGEST_DELAY_MS);
          const again = error.code === Code.Unavailable && isRepeatable(method) && attempt <= REPEATS;
          if (!again || signal?.aborted || Date.now() + delay >= end) {
            throw error;
          }
          await pause(delay, signal);
          if (signal?.aborted) {
            throw explained(base, ConnectError.from(signal.reason, Code.Canceled));
          }
        }
      }
    },

    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
      contextValues?: ContextValues,
    ): Promise<StreamResponse<I, O>> {
      try {
        const response = await inner.stream(method, signal, timeoutMs, header, input, contextValues);
        return { ...response, message: explaining(base, response.message) };
      } catch (error) {
        throw explained(base, error);
      }
    },
  };
}

function explaining<T>(base: string, messages: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      return {
        next: () =>
          iterator.next().catch((error: unknown) => {
            throw explained(base, error);
          }),
      };
    },
  };
}
