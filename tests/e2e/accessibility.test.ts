import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Browser, openBrowser } from "./chromium.ts";
import { makeJob } from "./made.ts";
import { addressOf, PAGES } from "./pages.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BAD: ReadonlySet<string> = new Set(["serious", "critical"]);

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

describe.skipIf(whySkipped())("axe finds nothing serious", () => {
  let ids: { job: string; dataset: string };
  const browsers: Browser[] = [];

  beforeAll(async () => {
    ids = await makeJob(gateway);
  });
  afterAll(() => Promise.all(browsers.map((browser) => browser.close())));

  describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
    test.each([1440, 390])("at %d px", async (width) => {
      const browser = await openBrowser({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
      browsers.push(browser);
      const page = await browser.context.newPage();
      const found: string[] = [];
      for (const [path, heading] of PAGES) {
        await page.goto(gateway + addressOf(path, ids));
        await page.getByRole("heading", { level: 1, name: heading }).waitFor();
        await page.waitForTimeout(400);
        await page.evaluate(AXE);
        const violations = await page.evaluate(
          async () => ((await (window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } }).axe.run()).violations as Violation[]),
        );
        for (const { id, impact, nodes } of violations.filter(({ impact }) => BAD.has(impact))) {
          found.push(`${path}: ${impact} ${id}: ${nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`);
        }
      }
      expect(found).toEqual([]);
    });
  });
});
