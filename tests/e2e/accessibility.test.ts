import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { seriousOn } from "./axe.ts";
import { type Browser, openBrowser } from "./chromium.ts";
import { JobForm } from "./job_form.ts";
import { makeJob } from "./made.ts";
import { addressOf, PAGES } from "./pages.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");

describe.skipIf(whySkipped())("axe finds nothing serious", () => {
  let ids: { job: string; dataset: string };
  const browsers: Browser[] = [];

  beforeAll(async () => {
    ids = await makeJob(gateway);
  });
  afterAll(() => Promise.all(browsers.map((browser) => browser.close())));

  describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
    test.each([1440, 390])("at %d px", async (width) => {
      const browser = await openBrowser({ colorScheme, viewport: { width, height: 900 } });
      browsers.push(browser);
      const page = await browser.context.newPage();
      const found: string[] = [];
      for (const [path, heading] of PAGES) {
        await page.goto(gateway + addressOf(path, ids));
        await page.getByRole("heading", { level: 1, name: heading }).waitFor();
        await page.waitForTimeout(400);
        found.push(...(await seriousOn(page)));
      }
      // The same form with sections open, an adapter's knobs, and something to put right.
      await page.goto(`${gateway}/jobs/new?dataset=${ids.dataset}`);
      const form = new JobForm(page);
      await form.menu("Method").selectOption({ label: "LoRA" });
      await form.box("Rank").fill("300");
      for (const section of ["Schedule", "Optimizer", "Optimizations", "Hardware", "Integrations", "Output"]) {
        await form.open(section);
      }
      await form.pressInVain();
      await page.waitForTimeout(400);
      found.push(...(await seriousOn(page)));
      // What opens above a page.
      const above = ["/models?add", "/models?id=tunesmith%2Fpico", "/adapters?upload"];
      for (const path of above) {
        await page.goto(gateway + path);
        await page.getByRole("dialog").waitFor();
        await page.waitForTimeout(400);
        found.push(...(await seriousOn(page)));
      }
      await page.goto(`${gateway}/recipes`);
      await page.getByRole("button", { name: "Add a recipe" }).first().click();
      await page.getByRole("dialog").waitFor();
      found.push(...(await seriousOn(page)));
      // A report with its picture, recipes, and every provider.
      await page.goto(`${gateway}/jobs/new?dataset=${ids.dataset}&base_model=tunesmith%2Fpico`);
      await form.menu("Method").selectOption({ label: "LoRA" });
      await page.getByRole("region", { name: "What it needs" }).waitFor();
      for (const name of ["By phase", "Every provider, side by side"]) {
        await page.getByText(name, { exact: true }).click();
      }
      await page.getByRole("button", { name: "Use smart defaults" }).click();
      await page.getByRole("button", { name: /^Use these/ }).waitFor();
      found.push(...(await seriousOn(page)));
      expect(found).toEqual([]);
    });
  });
});
