import type { Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Browser, openBrowser } from "./chromium.ts";
import { envoyOf } from "./gateway_process.ts";
import { makeJob } from "./made.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");
const supervisor = inject("supervisor");

// A browser has six connections to an origin: with a stream for each thing that moves, the seventh call would wait for ever.
describe.skipIf(whySkipped())("a tab's streams", () => {
  let browser: Browser;
  let page: Page;
  const open = new Set<Request>();

  beforeAll(async () => {
    await makeJob(gateway);
    browser = await openBrowser();
    page = await browser.context.newPage();
    page.on("request", (request) => {
      if (/\/WatchJobs?$/.test(request.url()) && request.method() === "POST") {
        open.add(request);
      }
    });
    page.on("requestfinished", (request) => open.delete(request));
    page.on("requestfailed", (request) => open.delete(request));
  });
  afterAll(() => browser?.close());

  test("are one at most, and none where nothing moves", async () => {
    await page.goto(`${gateway}/jobs`);
    await expect.poll(() => open.size).toBe(1);
    await page.getByRole("link", { name: "pico on alpaca" }).first().click();
    await page.waitForURL(new RegExp(`/jobs/[0-9a-f-]{36}$`));
    await page.getByTestId("latest-loss").waitFor();
    await expect.poll(() => open.size).toBe(0);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Jobs" }).click();
    await expect.poll(() => open.size).toBe(1);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Models" }).click();
    await expect.poll(() => open.size).toBe(0);
  });

  test("say that they broke, and that they are back", async () => {
    await page.goto(`${gateway}/jobs`);
    await expect.poll(() => open.size).toBe(1);
    // Without a network a stream that is open goes on; one that breaks can't be taken up.
    await browser.context.setOffline(true);
    process.kill(envoyOf(supervisor), "SIGKILL");
    await page.getByText("Not connected; trying again.").waitFor();
    await browser.context.setOffline(false);
    await page.getByText("Connected again; nothing was missed.").waitFor();
  });
});
