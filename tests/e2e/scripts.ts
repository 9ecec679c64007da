import type { Page } from "playwright-core";

/** The scripts that a page has loaded so far, and their bytes as they travelled. */
export interface Scripts {
  readonly bytes: number;
  readonly count: number;
}

/** Count a page's scripts from now on. */
export async function scriptsOf(page: Page): Promise<Scripts> {
  const session = await page.context().newCDPSession(page);
  const scripts = new Set<string>();
  const found = { bytes: 0, count: 0 };
  session.on("Network.responseReceived", ({ requestId, type }) => {
    if (type === "Script") {
      scripts.add(requestId);
    }
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (scripts.has(requestId)) {
      found.bytes += encodedDataLength;
      found.count += 1;
    }
  });
  await session.send("Network.enable");
  return found;
}
