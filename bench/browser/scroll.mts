// Scrolls the list of jobs from its top to its end, once while its pages are loaded and once when all are there:
// `scroll.mts <url> <jobs>`. Prints {"loading": [milliseconds between frames], "loaded": […], "rows": rows in the document at most}.
import { openBrowser } from "../../tests/e2e/chromium.ts";

const STEP = 400;
const [url, jobs] = process.argv.slice(2) as [string, string];
const browser = await openBrowser();
const page = await browser.context.newPage();
await page.goto(`${url}/jobs`);
await page.getByRole("row").nth(5).waitFor();

/** One way down: the wheel's step each frame, waiting at the end for pages that are on their way. */
async function wayDown(): Promise<{ frames: number[]; rows: number }> {
  return page.evaluate(
    ([step, expected]) =>
      new Promise<{ frames: number[]; rows: number }>((resolve) => {
        const frames: number[] = [];
        let rows = 0;
        let last = performance.now();
        let still = 0;
        scrollTo(0, 0);
        const frame = (now: number) => {
          const before = scrollY;
          frames.push(now - last);
          last = now;
          if (frames.length % 20 === 0) {
            rows = Math.max(rows, document.querySelectorAll('[role="row"], tr').length);
          }
          scrollBy(0, step);
          still = scrollY === before ? still + 1 : 0;
          const table = document.querySelector("[aria-rowcount]");
          const all = Number(table?.getAttribute("aria-rowcount")) >= expected;
          if ((still > 10 && all) || still > 1200) {
            resolve({ frames: frames.slice(1, frames.length - still), rows });
          } else {
            requestAnimationFrame(frame);
          }
        };
        requestAnimationFrame(frame);
      }),
    [STEP, Number(jobs)] as const,
  );
}

const loading = await wayDown();
const loaded = await wayDown();
const height = await page.evaluate(() => document.documentElement.scrollHeight);
console.log(JSON.stringify({ loading: loading.frames, loaded: loaded.frames, rows: Math.max(loading.rows, loaded.rows), height }));
await browser.close();
