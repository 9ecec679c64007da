import { Code } from "@connectrpc/connect";
import { TunesmithError } from "./errors.js";
import type { Artifact } from "./gen/tunesmith/job/v1/artifact_pb.js";

const LOCAL = "http://127.0.0.1:8080";

/** The address of the gateway, absolute and without a slash at its end. Unset: the page's own origin, or this machine's. */
export function absoluteBase(baseUrl: string | undefined): string {
  // A page from a file has the origin "null".
  const page = typeof location === "undefined" || location.origin === "null" ? undefined : location.origin;
  const address = baseUrl || page || LOCAL;
  if (!URL.canParse(address, page) || !/^https?:$/.test(new URL(address, page).protocol)) {
    throw new TunesmithError(`The baseUrl ${JSON.stringify(baseUrl)} is no address; write it as ${LOCAL}.`, Code.InvalidArgument);
  }
  const base = new URL(address, page);
  return `${base.origin}${base.pathname}`.replace(/\/+$/, "");
}

/** Where the bytes of one artifact are. */
export function artifactUrl(base: string, artifact: Pick<Artifact, "uri">): string {
  // Not `new URL(uri, base)`: the gateway may stand below a path of somebody's proxy.
  return `${base}/${artifact.uri.replace(/^\/+/, "")}`;
}

/** Where the archive of an artifact's whole set is. */
export function artifactSetUrl(base: string, artifactId: string): string {
  return `${base}/v1/artifacts/${encodeURIComponent(artifactId)}/set:download`;
}
