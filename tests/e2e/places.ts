import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Where pictures of the pages go; `make screenshots` copies those that the README shows. */
export const PICTURES = `${ROOT}.build/screenshots`;
/** Debian's; another with the same flags may be named. */
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/**
 * Why there can be no journeys here; undefined if there can. Where nothing may be skipped, as in `.ci/run`, a missing browser is an
 * error.
 */
export function whySkipped(): string | undefined {
  if (existsSync(CHROMIUM)) {
    return undefined;
  }
  const reason = `${CHROMIUM} is missing: apt-get install chromium, or set CHROMIUM to one`;
  if (process.env.TUNESMITH_TEST_STRICT) {
    throw new Error(reason);
  }
  return reason;
}
