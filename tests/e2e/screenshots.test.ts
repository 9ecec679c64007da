import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Browser, openBrowser } from "./chromium.ts";
import { JobForm } from "./job_form.ts";
import { makeJob } from "./made.ts";
import { addressOf, PAGES } from "./pages.ts";
import { PICTURES, whySkipped } from "./places.ts";

const gateway = inject("gateway");

// Pictures to be looked at; `make screenshots` keeps those that the README shows. What can be told by a program is told here too.
describe.skipIf(whySkipped())("every page has its picture", () => {
  let ids: { job: string; dataset: string };
  const browsers: Browser[] = [];

  beforeAll(async () => {
    mkdirSync(PICTURES, { recursive: true });
    // Long enough for a curve.
    ids = await makeJob(gateway, 60);
  });
  afterAll(() => Promise.all(browsers.map((browser) => browser.close())));

  describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
    test.each([1440, 390])("at %d px, and none scrolls sideways", async (width) => {
      const browser = await openBrowser({ colorScheme, viewport: { width, height: 900 } });
      browsers.push(browser);
      const page = await browser.context.newPage();
      const picture = (name: string) => page.screenshot({ path: `${PICTURES}/${name}-${colorScheme}-${width}.png` });
      for (const [path, heading] of PAGES) {
        await page.goto(gateway + addressOf(path, ids));
        await page.getByRole("heading", { level: 1, name: heading }).waitFor();
        await page.waitForTimeout(700);
        await picture(path.replace(/\W+/g, " ").trim().replaceAll(" ", "-"));
        // The gutter that is kept for a scroll bar counts as width of the content's window.
        const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(sideways, path).toBeLessThanOrEqual(0);
      }
      await page.goto(`${gateway}/jobs/new?dataset=${ids.dataset}`);
      const form = new JobForm(page);
      await form.pick("Base model", "pico");
      await form.menu("Method").selectOption({ label: "LoRA" });
      await form.box("Rank").fill("300");
      await page.getByRole("region", { name: "Method", exact: true }).evaluate((section) => section.scrollIntoView());
      await page.waitForTimeout(300);
      await picture("form");
      await page.setViewportSize({ width, height: 1_500 });
      await page.goto(`${gateway}/jobs/${ids.job}`);
      await page.locator("canvas").nth(3).waitFor();
      await page.waitForTimeout(700);
      await picture("curves");
    });
  });
});
