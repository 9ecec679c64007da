/** Waits, or less if the signal is aborted or `wake` is called; the promise never rejects. */
export function pause(milliseconds: number, signal?: AbortSignal, onWake?: (wake: () => void) => () => void): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      stop?.();
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    const stop = onWake?.(done);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) {
      done();
    }
  });
}

/** The delay before try `attempt` (1 is the first repeat): doubling, and somewhere in its upper half, so that clients spread. */
export function backOff(attempt: number, firstMs: number, longestMs: number): number {
  return Math.min(longestMs, firstMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
}
