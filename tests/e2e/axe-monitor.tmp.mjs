import { chromium } from "playwright-core"; import { readFileSync } from "node:fs";
const axe = readFileSync("/work/main/node_modules/axe-core/axe.min.js", "utf8");
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });
for (const url of process.argv.slice(2)) for (const theme of ["light", "dark"]) for (const width of [1440, 390]) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: theme });
  await page.goto(url); await page.waitForTimeout(2500); await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document));
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  console.log(url.slice(-14), theme, width, "overflow", over, violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.slice(0, 2).map((n) => n.target + " " + n.failureSummary?.split("\n")[1]).join(" | ")}`));
  await page.close();
}
await browser.close();
