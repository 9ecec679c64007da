import { chromium } from "playwright-core";
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });
for (const id of process.argv.slice(3)) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
  page.on("console", (m) => (m.type() === "error" || m.type() === "warning") && console.log(m.text()));
  await page.goto(process.argv[2] + "/jobs"); await page.waitForTimeout(1500);
  const begin = Date.now(); await page.goto(process.argv[2] + "/jobs/" + id);
  await page.getByTestId("latest-loss").waitFor({ timeout: 120000 }); const shown = Date.now() - begin;
  await page.locator(".u-over").first().waitFor(); console.log(id, "shown", shown, "ms; first chart", Date.now() - begin, "ms");
  await page.waitForTimeout(1000);
  const box = await page.locator('[data-chart="train_loss"] .u-over').boundingBox();
  const f = await page.evaluate(() => { window.gaps = []; let last = performance.now(); const tick = (t) => { gaps.push(t - last); last = t; requestAnimationFrame(tick); }; requestAnimationFrame(tick); });
  for (let i = 0; i < 60; i++) { await page.mouse.move(box.x + 20 + i * 15, box.y + 60); }
  const g = (await page.evaluate(() => window.gaps)).slice(2).sort((a, b) => a - b); console.log("cursor frames", g.length, "p50", g[g.length >> 1]?.toFixed(1), "p95", g[Math.floor(g.length * 0.95)]?.toFixed(1), "max", g.at(-1)?.toFixed(1));
  const z = Date.now(); await page.mouse.move(box.x + 300, box.y + 60); await page.mouse.down(); await page.mouse.move(box.x + 600, box.y + 60); await page.mouse.up(); await page.getByRole("button", { name: "Show all steps" }).first().waitFor(); console.log("zoom", Date.now() - z, "ms");
  await page.screenshot({ path: `/tmp/work/monitor-shots/big-${id.slice(-6)}.png` });
  await page.close();
}
await browser.close();
