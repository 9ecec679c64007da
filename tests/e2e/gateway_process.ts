import { readFileSync } from "node:fs";

/** The gateway's process, among the children of its supervisor. */
export function envoyOf(parent: number): number {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ").map(Number);
  const envoy = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("/envoy\0"));
  if (envoy === undefined) {
    throw new Error("the supervisor has no gateway");
  }
  return envoy;
}
