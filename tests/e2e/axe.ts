import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SERIOUS: ReadonlySet<string> = new Set(["serious", "critical"]);

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string }[];
}

/** What axe finds serious on a page as it now stands, the insides of elements too; a line each. */
export async function seriousOn(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    return (await axe.run()).violations;
  });
  return violations
    .filter(({ impact }) => SERIOUS.has(impact))
    .map(({ id, impact, nodes }) => `${page.url()}: ${impact} ${id}: ${nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`);
}
