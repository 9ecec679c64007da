import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Browser, openBrowser } from "./chromium.ts";
import { makeJob, PICO } from "./made.ts";
import { addressOf, PAGES } from "./pages.ts";
import { whySkipped } from "./places.ts";
import { scriptsOf } from "./scripts.ts";

const gateway = inject("gateway");
const MOST_BYTES = 250_000;

describe.skipIf(whySkipped())("with an empty cache", () => {
  let ids: { job: string; dataset: string };
  const browsers: Browser[] = [];

  beforeAll(async () => {
    ids = await makeJob(gateway);
  });
  afterAll(() => Promise.all(browsers.map((browser) => browser.close())));

  // The form as most people open it: with a report, recipes and what is known of the model.
  const filled: [path: string, heading: RegExp] = [`/jobs/new?dataset={dataset}&base_model=${encodeURIComponent(PICO)}`, /^New job$/];

  test.each([...PAGES, filled])("%s loads no more JavaScript than promised", async (path, heading) => {
    const browser = await openBrowser();
    browsers.push(browser);
    const page = await browser.context.newPage();
    const scripts = await scriptsOf(page);
    await page.goto(gateway + addressOf(path, ids));
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    // What a page loads once it is idle is part of it.
    await page.waitForTimeout(1_500);
    console.log(`${path}: ${(scripts.bytes / 1000).toFixed(1)} kB in ${scripts.count} files`);
    expect(scripts.count).toBeGreaterThan(0);
    expect(scripts.bytes).toBeLessThanOrEqual(MOST_BYTES);
  });
});
