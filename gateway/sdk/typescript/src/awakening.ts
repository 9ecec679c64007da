/**
 * Calls back when waiting has lost its reason: the network is back, or somebody looks at the page again.
 *
 * Answers a function that stops it. Outside browsers nothing ever calls.
 */
export function onAwakening(callback: () => void): () => void {
  const network = typeof globalThis.addEventListener === "function" ? globalThis : undefined;
  const page = typeof document === "undefined" ? undefined : document;
  const seen = () => {
    if (page?.visibilityState === "visible") {
      callback();
    }
  };
  network?.addEventListener("online", callback);
  page?.addEventListener("visibilitychange", seen);
  return () => {
    network?.removeEventListener("online", callback);
    page?.removeEventListener("visibilitychange", seen);
  };
}
