import { Code } from "@connectrpc/connect";
import { onAwakening } from "./awakening.js";
import { TunesmithError } from "./errors.js";
import { backOff, pause } from "./pause.js";
import { SILENCE_MS, StreamAttempt } from "./stream_attempt.js";

/** How a watch stands, for who shows it to a person. `attempt` counts the failures in a row. */
export type Connection = { state: "connecting" | "live" | "reconnecting"; attempt: number; error?: TunesmithError };

/** How to watch. */
export interface WatchOptions {
  /** Ends the watch when it is aborted. The iteration then ends without an error. */
  signal?: AbortSignal;
  /** Told whenever the stream is opened, taken up, or breaks. */
  onConnection?: (connection: Connection) => void;
  /**
   * How long to try without hearing anything before the iteration throws.
   *
   * Unset: for one job four tries at first and ten minutes later, for all jobs without end. Time asleep doesn't count.
   */
  giveUpMs?: number;
}

/** Something that can be streamed from a place on. */
export interface Watched<T> {
  /** Opens a stream that goes on from the place. */
  open(signal: AbortSignal): AsyncIterable<T>;
  /** Moves the place behind a message; answers what of it is new. */
  take(message: T): T;
  /** Whether a stream that now ends has said everything. */
  isOver(): boolean;
  /** How often to try at first, and how long later on, unless the caller says otherwise. */
  firstTries: number;
  giveUpMs: number;
  /** The sentence for who is told that it was given up. */
  givenUp: string;
}

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;
/** How a stream breaks, as against a call that the server refuses. */
const BROKEN: ReadonlySet<Code> = /*@__PURE__*/ new Set([
  Code.Unavailable,
  Code.Internal,
  Code.Unknown,
  Code.Canceled,
  Code.DeadlineExceeded,
]);

/** One iteration over as many streams as it takes. Each call of the iterable's iterator begins anew. */
export function watching<T>(begin: () => Watched<T>, options: WatchOptions): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
      const ending = new AbortController();
      const messages = follow(begin(), ending, options);
      return {
        next: () => messages.next(),
        // Not the generator's own alone: that waits for the message that is being waited for.
        async return() {
          ending.abort();
          await messages.return(undefined);
          return { done: true, value: undefined };
        },
      };
    },
  };
}

async function* follow<T>(watched: Watched<T>, ending: AbortController, options: WatchOptions): AsyncGenerator<T, undefined> {
  const end = () => ending.abort();
  options.signal?.addEventListener("abort", end);
  if (options.signal?.aborted) {
    end();
  }
  let everHeard = false;
  let failures = 0;
  let delay = 0;
  // Since the server was last heard.
  let silentMs = 0;
  try {
    while (!ending.signal.aborted) {
      if (failures === 0) {
        options.onConnection?.({ state: "connecting", attempt: 0 });
      }
      const attempt = new StreamAttempt<T>((signal) => watched.open(signal), ending.signal);
      const opened = Date.now();
      let waitedSince = opened;
      let live = false;
      let error: TunesmithError | undefined;
      try {
        while (!error) {
          const outcome = await attempt.next();
          if (ending.signal.aborted) {
            return;
          }
          if (outcome.kind === "message") {
            everHeard = true;
            silentMs = 0;
            if (!live) {
              live = true;
              options.onConnection?.({ state: "live", attempt: 0 });
            }
            yield watched.take(outcome.message);
            waitedSince = Date.now();
          } else if (outcome.kind === "error") {
            error = outcome.error;
          } else if (watched.isOver()) {
            return;
          } else {
            error = new TunesmithError("The server ended the stream, as it does when it stops. Try again.", Code.Unavailable);
          }
        }
      } finally {
        attempt.close();
      }
      // A stream that breaks sooner than it was waited for is no better than one that does not open.
      failures = live && Date.now() - opened >= delay ? 1 : failures + 1;
      delay = backOff(failures, FIRST_DELAY_MS, LONGEST_DELAY_MS);
      // An attempt can't last longer than the silence it allows: what is beyond was sleep.
      silentMs += Math.min(Date.now() - waitedSince, SILENCE_MS) + delay;
      if (!everHeard && (error.code !== Code.Unavailable || (options.giveUpMs === undefined && failures >= watched.firstTries))) {
        throw error;
      }
      if (everHeard && !BROKEN.has(error.code)) {
        throw error;
      }
      if (silentMs > (options.giveUpMs ?? watched.giveUpMs)) {
        throw everHeard ? new TunesmithError(`${watched.givenUp} ${error.message}`, error.code, { cause: error }) : error;
      }
      options.onConnection?.({ state: "reconnecting", attempt: failures, error });
      await pause(delay, ending.signal, onAwakening);
    }
  } finally {
    options.signal?.removeEventListener("abort", end);
  }
}
