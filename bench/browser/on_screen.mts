// Tells when each reported loss was on screen: `on_screen.mts <url> <job id> <points>`. Says `ready` once the job's page shows, then
// waits for as many different values, and prints [[value, milliseconds since 1970], …].
import { openBrowser } from "../../tests/e2e/chromium.ts";

const [url, jobId, points] = process.argv.slice(2) as [string, string, string];
const browser = await openBrowser();
const page = await browser.context.newPage();
await page.addInitScript(() => {
  const seen = new Map<number, number>();
  Object.assign(window, { seen });
  const look = () => {
    const value = Number(document.querySelector('[data-testid="latest-loss"]')?.textContent);
    if (value && !seen.has(value)) {
      // A message that is posted before a frame is painted arrives after it.
      seen.set(value, 0);
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => seen.set(value, performance.timeOrigin + performance.now());
        channel.port2.postMessage(null);
      });
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
});
await page.goto(`${url}/jobs/${jobId}`);
await page.getByRole("heading", { level: 1 }).waitFor();
await page.getByTestId("latest-loss").waitFor();
console.log("ready");
await page.waitForFunction((count) => (window as unknown as { seen: Map<number, number> }).seen.size >= count, Number(points), {
  timeout: 300_000,
});
await page.waitForTimeout(500);
console.log(JSON.stringify(await page.evaluate(() => [...(window as unknown as { seen: Map<number, number> }).seen])));
await browser.close();
