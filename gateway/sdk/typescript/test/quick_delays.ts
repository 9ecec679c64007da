import { vi } from "vitest";

/** Makes delays of up to 5 s, as between tries, 500 times as short; `vi.unstubAllGlobals` ends it. Silence and deadlines stay. */
export function quickDelays(): void {
  const { setTimeout } = globalThis;
  vi.stubGlobal("setTimeout", (callback: () => void, milliseconds = 0, ...rest: []) =>
    setTimeout(callback, milliseconds <= 5_000 ? milliseconds / 500 : milliseconds, ...rest),
  );
}
