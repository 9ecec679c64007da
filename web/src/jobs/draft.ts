import type { JsonValue } from "@bufbuild/protobuf";

/** A form that was not sent yet. */
export interface Draft {
  configuration: JsonValue;
  provider: string;
  displayName: string;
}

const KEY = "tunesmith.new-job";

/** Keeps a form in this tab, so that a reload loses nothing. `name` is the address it belongs to. */
export function keepDraft(name: string, draft: Draft): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ name, draft }));
  } catch {
    // A browser that keeps nothing still makes jobs.
  }
}

/** The form that was kept for an address. Other links begin anew: whoever follows one to a dataset wants that dataset. */
export function keptDraft(name: string): Draft | undefined {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as { name: string; draft: Draft } | null;
    return kept?.name === name ? kept.draft : undefined;
  } catch {
    return undefined;
  }
}

/** The form was sent, or somebody wants to begin anew. */
export function forgetDraft(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}
