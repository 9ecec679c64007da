import { Code, ConnectError } from "@connectrpc/connect";
import { TunesmithError, toTunesmithError } from "./errors.js";

/** What to say when no answer came. */
export function unreachable(base: string, cause: unknown): TunesmithError {
  // A browser doesn't tell a page whether the server was silent or forbade it to read the answer.
  const foreign = typeof location !== "undefined" && location.origin !== new URL(base).origin;
  const text = foreign
    ? `Check that it runs (\`make up\`), and that its TUNESMITH_ALLOWED_ORIGINS names ${location.origin}.`
    : "Start it with `make up`, or check the address and your network.";
  return new TunesmithError(`The server at ${base} does not answer. ${text}`, Code.Unavailable, { cause });
}

/** What to say when an answer was cut off. */
export function cutOff(base: string, cause: unknown): TunesmithError {
  const text = `The connection to ${base} broke before the answer was complete. Try again.`;
  return new TunesmithError(text, Code.Unavailable, { cause });
}

/** How connect says that an answer ended before its end. */
const CUT_OFF: ReadonlySet<string> = /*@__PURE__*/ new Set([
  "missing trailer",
  "missing response body",
  "protocol error: incomplete envelope",
]);

/** The error of a call to this server. What connect says in words of its own becomes a sentence. */
export function explained(base: string, error: unknown): TunesmithError {
  if (!(error instanceof ConnectError) || error.cause instanceof TunesmithError) {
    return toTunesmithError(error);
  }
  const { code, rawMessage } = error;
  if (CUT_OFF.has(rawMessage)) {
    return cutOff(base, error);
  }
  if (code === Code.DeadlineExceeded && rawMessage === "the operation timed out") {
    const text = `The server at ${base} took too long to answer. Try again, or give the call a longer timeoutMs.`;
    return new TunesmithError(text, code, { cause: error });
  }
  if (/^HTTP \d+$/.test(rawMessage)) {
    const text = `${base} answered ${rawMessage} to a gRPC-web call. Check that the address is the gateway's, or try again.`;
    return new TunesmithError(text, code, { cause: error });
  }
  return toTunesmithError(error);
}
