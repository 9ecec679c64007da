import type { ConnectRouter } from "@connectrpc/connect";
import { createRouterTransport } from "@connectrpc/connect";
import { createTunesmith, type Tunesmith } from "@tunesmith/sdk";

/** A client whose calls are answered in this process, by the real router and its serialisation. */
export function clientOf(routes: (router: ConnectRouter) => void): Tunesmith {
  return createTunesmith({ baseUrl: "http://tunesmith.test", transport: createRouterTransport(routes) });
}

/** A line that messages are put on while a stream is read from its other end. */
export class Line<T> {
  #waiting: T[] = [];
  #wake: () => void = () => {};
  #ended = false;
  #failure: unknown;

  put(...messages: T[]): void {
    this.#waiting.push(...messages);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure = error;
    this.end();
  }

  async *read(signal: AbortSignal): AsyncGenerator<T> {
    signal.addEventListener("abort", () => this.#wake());
    for (;;) {
      while (this.#waiting.length > 0) {
        yield this.#waiting.shift()!;
      }
      if (this.#failure) {
        throw this.#failure;
      }
      if (this.#ended || signal.aborted) {
        return;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
