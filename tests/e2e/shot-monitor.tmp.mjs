import { chromium } from "playwright-core";
const [,, url, name, wait = "2500", full = "1"] = process.argv;
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });
for (const theme of ["light", "dark"]) for (const width of [1440, 390]) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: theme });
  page.on("console", (m) => (m.type() === "error" || m.type() === "warning") && console.log(theme, width, m.text()));
  page.on("pageerror", (e) => console.log("pageerror", e.message));
  await page.goto(url); await page.waitForTimeout(Number(wait));
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) console.log("overflow", theme, width, over);
  await page.screenshot({ path: `/tmp/work/monitor-shots/${name}-${theme}-${width}.png`, fullPage: full === "1" });
  await page.close();
}
await browser.close();
