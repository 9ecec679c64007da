import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Browser, Complaints, openBrowser } from "./chromium.ts";
import { PAGES } from "./pages.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");

describe.skipIf(whySkipped())("the console", () => {
  let browser: Browser;
  let page: Page;
  let complaints: Complaints;

  beforeAll(async () => {
    browser = await openBrowser();
    page = await browser.context.newPage();
    complaints = new Complaints(page);
  });
  afterAll(() => browser?.close());

  test.each<[string, RegExp]>([["/", /^Jobs\b/], ...PAGES.filter(([path]) => !path.includes("{"))])("opens at %s", async (path, heading) => {
    const response = await page.goto(gateway + path);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    expect(response?.headers()["content-security-policy"]).toContain("script-src 'self'");
    expect(complaints.found).toEqual([]);
  });
});
