import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { ROOT } from "./places.ts";

const READY_WITHIN_MS = 150_000;
const STOPPED_WITHIN_MS = 30_000;

/** What a stack's supervisor says once its parts are there. */
const WORKS = ["pool ready", "starter: done"];

/** The whole of Tunesmith, as `make up` runs it, in a home of its own. */
export class Stack {
  readonly home: string;
  readonly url: string;
  private readonly process: ChildProcess;

  private constructor(checkout: string, home: string, port: number, workerPort: number, settings: Record<string, string>) {
    this.home = home;
    this.url = `http://127.0.0.1:${port}`;
    const foreign = (name: string) => name.startsWith("TUNESMITH_") || name.startsWith("RAY_");
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign(name)));
    const said = openSync(this.log, "w");
    this.process = spawn(`${ROOT}.venv/bin/python`, ["-m", "supervisor"], {
      cwd: checkout,
      stdio: ["ignore", said, said],
      env: { ...environment, TUNESMITH_HOME: home, TUNESMITH_PORT: `${port}`, TUNESMITH_WORKER_PORT: `${workerPort}`, TUNESMITH_CATALOG: "0", ...settings },
    });
    closeSync(said);
  }

  /** The supervisor's process. */
  get pid(): number {
    return this.process.pid!;
  }

  private get log(): string {
    return `${this.home}/said`;
  }

  /** Start one, and come back when it takes work, or when its supervisor has said other signs. */
  static async start(settings: Record<string, string> = {}, { checkout = ROOT, signs = WORKS } = {}): Promise<Stack> {
    // A socket's path has to be short.
    const stack = new Stack(checkout, mkdtempSync("/tmp/ts-"), await freePort(), await freePort(), settings);
    try {
      await stack.waitUntil(signs);
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  private async waitUntil(signs: readonly string[]): Promise<void> {
    const deadline = Date.now() + READY_WITHIN_MS;
    for (;;) {
      const said = readFileSync(this.log, "utf8");
      if (signs.every((sign) => said.includes(sign))) {
        return;
      }
      if (this.process.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the stack is not ready (${signs.join(", ")}); it said:\n${said}`);
      }
      await pause(200);
    }
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null) {
      const ended = new Promise((resolve) => this.process.once("exit", resolve));
      this.process.kill("SIGTERM");
      await Promise.race([ended, pause(STOPPED_WITHIN_MS, undefined, { ref: false })]);
      this.process.kill("SIGKILL");
    }
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
