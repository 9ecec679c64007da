// url name theme width [selector=viewport] [wait]
import { chromium } from "playwright-core";
const [,, url, name, theme, width, selector = "", wait = "2500"] = process.argv;
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });
const page = await browser.newPage({ viewport: { width: Number(width), height: 1000 }, colorScheme: theme });
page.on("console", (m) => (m.type() === "error" || m.type() === "warning") && console.log(m.text()));
await page.goto(url); await page.waitForTimeout(Number(wait));
if (selector) await page.evaluate((s) => document.querySelector(s).scrollIntoView(), selector);
await page.waitForTimeout(300);
await page.screenshot({ path: `/tmp/work/monitor-shots/${name}.png` });
await browser.close();
