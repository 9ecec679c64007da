import type { TestProject } from "vitest/node";
import { freePort, Stack } from "./stack.ts";
import { whySkipped } from "./places.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the stack's gateway is; empty where journeys are skipped. */
    gateway: string;
    /** The port of a page of another origin, which the gateway allows. */
    foreignPort: number;
    /** The process that starts and watches the stack's parts; 0 where journeys are skipped. */
    supervisor: number;
  }
}

/** One stack for all journeys. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const foreignPort = await freePort();
  project.provide("foreignPort", foreignPort);
  const skipped = whySkipped();
  if (skipped) {
    console.warn(`skipped: ${skipped}`);
    project.provide("gateway", "");
    project.provide("supervisor", 0);
    return undefined;
  }
  const stack = await Stack.start({ TUNESMITH_ALLOWED_ORIGINS: `http://127.0.0.1:${foreignPort}` });
  project.provide("gateway", stack.url);
  project.provide("supervisor", stack.pid);
  return () => stack.stop();
}
