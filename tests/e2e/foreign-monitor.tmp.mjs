import { createServer } from "node:http"; import { readFileSync, existsSync } from "node:fs"; import { chromium } from "playwright-core";
const [,, job, gateway] = process.argv; const build = "/tmp/work/monitor-build";
const assets = createServer((q, r) => { const f = build + q.url.split("?")[0]; if (!existsSync(f) || f.endsWith("/")) { r.writeHead(404); return r.end(); }
  r.writeHead(200, { "content-type": f.endsWith(".js") ? "text/javascript" : "text/css", "access-control-allow-origin": "*" }); r.end(readFileSync(f)); }).listen(18292, "127.0.0.1");
const html = `<!doctype html><html><head><title>foreign</title><script type="module" src="http://127.0.0.1:18292/tunesmith.js"></script></head><body><h1>A page of somebody else</h1>
<div id="a"><tunesmith-monitor job="${job}" gateway="${gateway}" theme="light"></tunesmith-monitor></div><div id="b"><tunesmith-monitor compact job="${job}" gateway="${gateway}" theme="dark"></tunesmith-monitor></div></body></html>`;
const page0 = createServer((q, r) => { if (q.url !== "/") { r.writeHead(204); return r.end(); } r.writeHead(200, { "content-type": "text/html", "content-security-policy": `default-src 'none'; script-src http://127.0.0.1:18292; connect-src ${gateway}; style-src 'self'; img-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'` }); r.end(html); }).listen(18291, "127.0.0.1");
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });
const page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
page.on("console", (m) => (m.type() === "error" || m.type() === "warning") && console.log("CONSOLE", m.text()));
page.on("pageerror", (e) => console.log("pageerror", e.message));
page.on("requestfailed", (q) => console.log("failed", q.url(), q.failure()?.errorText));
page.on("response", (r) => r.status() >= 400 && console.log(r.status(), r.url()));
await page.goto("http://127.0.0.1:18291/");
await page.evaluate(() => { window.told = []; document.addEventListener("tunesmith-state", (e) => window.told.push(e.detail.state + " " + typeof e.detail.job)); });
await page.getByTestId("latest-loss").first().waitFor(); await page.waitForTimeout(2500);
console.log(await page.evaluate(() => JSON.stringify(window.told)), await page.getByTestId("latest-loss").allTextContents());
await page.screenshot({ path: "/tmp/work/monitor-shots/foreign.png", fullPage: true });
await page.evaluate(() => { document.querySelector("#a tunesmith-monitor").setAttribute("theme", "dark"); }); await page.waitForTimeout(500);
await page.locator("#a tunesmith-monitor").screenshot({ path: "/tmp/work/monitor-shots/foreign-dark.png" });
await page.evaluate(() => { const e = document.querySelector("#a tunesmith-monitor"); document.querySelector("#b").append(e); }); await page.waitForTimeout(300);
console.log("styles", await page.evaluate(() => document.querySelectorAll("style").length));
await page.evaluate(() => document.querySelectorAll("tunesmith-monitor").forEach((e) => e.remove())); await page.waitForTimeout(300);
await browser.close(); assets.close(); page0.close(); assets.closeAllConnections(); page0.closeAllConnections();
