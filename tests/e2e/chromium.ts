import { mkdtempSync, rmSync } from "node:fs";
import { type BrowserContext, type BrowserContextOptions, chromium, type ConsoleMessage, type Page } from "playwright-core";
import { CHROMIUM } from "./places.ts";

// As root Chromium has no sandbox; the rest keeps it from calling out, which a closed network answers with errors.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A Chromium with an empty profile. */
export interface Browser {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** Start one. */
export async function openBrowser(options: BrowserContextOptions = {}): Promise<Browser> {
  const profile = mkdtempSync("/tmp/ts-chromium-");
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: FLAGS,
    viewport: { width: 1440, height: 900 },
    acceptDownloads: true,
    ...options,
  });
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** What went wrong on a page behind its reader's back: errors on the console, failed requests, violated policies. */
export class Complaints {
  readonly found: string[] = [];

  constructor(page: Page) {
    page.on("console", (message: ConsoleMessage) => {
      if (message.type() === "error" || message.type() === "warning") {
        this.found.push(`console ${message.type()}: ${message.text()}`);
      }
    });
    page.on("pageerror", (error) => this.found.push(`uncaught: ${error.message}`));
    page.on("requestfailed", (request) => {
      // A stream that the page itself ended, because it went elsewhere, has not failed.
      if (request.failure()?.errorText !== "net::ERR_ABORTED") {
        this.found.push(`failed: ${request.method()} ${request.url()} ${request.failure()?.errorText}`);
      }
    });
    page.on("response", (response) => {
      if (response.status() >= 400) {
        this.found.push(`answer ${response.status()}: ${response.request().method()} ${response.url()}`);
      }
    });
  }
}
