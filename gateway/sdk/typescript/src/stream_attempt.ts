import { Code } from "@connectrpc/connect";
import { onAwakening } from "./awakening.js";
import { TunesmithError, toTunesmithError } from "./errors.js";

/** The server says something every 15 seconds; one that says nothing for this long is not there, as after a laptop's sleep. */
export const SILENCE_MS = 45_000;
/** When somebody looks at the page again, a stream that has missed a word is not waited for. */
export const OVERDUE_MS = 20_000;

/** What became of waiting for a message. */
export type Outcome<T> = { kind: "message"; message: T } | { kind: "end" } | { kind: "error"; error: TunesmithError };

/** One stream from its opening to its end. It never throws. */
export class StreamAttempt<T> {
  readonly #controller = new AbortController();
  readonly #ending: AbortSignal;
  readonly #open: (signal: AbortSignal) => AsyncIterable<T>;
  readonly #end = () => this.#controller.abort();
  #messages: AsyncIterator<T> | undefined;

  constructor(open: (signal: AbortSignal) => AsyncIterable<T>, ending: AbortSignal) {
    this.#open = open;
    this.#ending = ending;
    ending.addEventListener("abort", this.#end);
    if (ending.aborted) {
      this.#end();
    }
  }

  /** The next message. After anything but a message, the attempt is over. */
  next(): Promise<Outcome<T>> {
    return new Promise((resolve) => {
      const begin = Date.now();
      const settle = (outcome: Outcome<T>) => {
        clearTimeout(timer);
        stop();
        this.#controller.signal.removeEventListener("abort", aborted);
        resolve(outcome);
      };
      const silent = () => settle({ kind: "error", error: silence(Date.now() - begin) });
      const aborted = () => settle({ kind: "end" });
      const timer = setTimeout(silent, SILENCE_MS);
      const stop = onAwakening(() => Date.now() - begin > OVERDUE_MS && silent());
      this.#controller.signal.addEventListener("abort", aborted);
      if (this.#controller.signal.aborted) {
        aborted();
        return;
      }
      // What arrives after another outcome goes nowhere; so does its error.
      this.#read().then(
        (result) => settle(result.done ? { kind: "end" } : { kind: "message", message: result.value }),
        (error: unknown) => settle({ kind: "error", error: toTunesmithError(error) }),
      );
    });
  }

  /** Gives the connection back, whether or not it still says something. */
  close(): void {
    this.#ending.removeEventListener("abort", this.#end);
    this.#controller.abort();
  }

  async #read(): Promise<IteratorResult<T>> {
    this.#messages ??= this.#open(this.#controller.signal)[Symbol.asyncIterator]();
    return this.#messages.next();
  }
}

function silence(milliseconds: number): TunesmithError {
  const seconds = Math.round(milliseconds / 1000);
  const text = `The server said nothing for ${seconds} s, so the connection counts as broken. Check your network.`;
  return new TunesmithError(text, Code.Unavailable);
}
