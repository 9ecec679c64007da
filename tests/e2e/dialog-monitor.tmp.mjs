import { chromium } from "playwright-core";
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });
const page = await browser.newPage({ viewport: { width: 390, height: 800 }, colorScheme: "dark" });
page.on("console", (m) => (m.type() === "error" || m.type() === "warning") && console.log(m.text()));
await page.goto(process.argv[2]); await page.getByRole("button", { name: "Cancel job" }).waitFor({timeout: 60000}); 
await page.getByRole("button", { name: "Cancel job" }).focus(); await page.keyboard.press("Enter"); await page.waitForTimeout(300);
console.log("focused", await page.evaluate(() => document.activeElement?.textContent?.slice(0, 40)));
await page.screenshot({ path: "/tmp/work/monitor-shots/dialog.png" });
await page.keyboard.press("Tab"); console.log("focused", await page.evaluate(() => document.activeElement?.textContent?.slice(0, 40))); await page.keyboard.press("Enter"); await page.waitForTimeout(80);
console.log("badge", await page.locator(".badge").first().textContent());
await page.locator(".badge", { hasText: "Cancelled" }).waitFor({ timeout: 90000 }); console.log(await page.title(), await page.getByRole("link", { name: "Run again" }).getAttribute("href"));
await page.screenshot({ path: "/tmp/work/monitor-shots/cancelled.png" });
// stream drop
await browser.close();
