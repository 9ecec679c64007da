// Opens each page with an empty cache: `first_load.mts <url> <path> …`. Prints {path: {"js_bytes", "js_files", "shown_ms"}}, the bytes
// as they travelled.
import { openBrowser } from "../../tests/e2e/chromium.ts";
import { scriptsOf } from "../../tests/e2e/scripts.ts";

const [url, ...paths] = process.argv.slice(2) as [string, ...string[]];
const found: Record<string, { js_bytes: number; js_files: number; shown_ms: number }> = {};
for (const path of paths) {
  const browser = await openBrowser();
  const page = await browser.context.newPage();
  const scripts = await scriptsOf(page);
  const begin = performance.now();
  await page.goto(url + path);
  await page.getByRole("heading", { level: 1 }).waitFor();
  const shown = performance.now() - begin;
  await page.waitForLoadState("networkidle", { timeout: 3_000 }).catch(() => undefined);
  found[path] = { js_bytes: scripts.bytes, js_files: scripts.count, shown_ms: shown };
  await browser.close();
}
console.log(JSON.stringify(found));
