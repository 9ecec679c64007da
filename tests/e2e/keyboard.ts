import type { Page } from "playwright-core";

const MOST_STOPS = 120;

/** What has the focus, as a screen reader would name it; it may be inside of an element's shadow. */
export async function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    let active = document.activeElement;
    while (active?.shadowRoot?.activeElement) {
      active = active.shadowRoot.activeElement;
    }
    if (!active || active === document.body) {
      return "";
    }
    const byIds = (ids: string | null) =>
      (ids ?? "")
        .split(" ")
        .map((id) => (id ? document.getElementById(id)?.textContent : ""))
        .join(" ")
        .trim();
    const labels = [...((active as HTMLInputElement).labels ?? [])].map((label) => label.textContent).join(" ");
    const name = active.getAttribute("aria-label") || byIds(active.getAttribute("aria-labelledby")) || labels || active.textContent || "";
    return `${active.tagName.toLowerCase()}: ${name.replace(/\s+/g, " ").trim()}`;
  });
}

/** Go on from stop to stop until one is called this. Throws with all stops on the way if none is, so that the gap can be seen. */
export async function tabTo(page: Page, name: RegExp): Promise<void> {
  const stops: string[] = [];
  for (let stop = 0; stop < MOST_STOPS; stop += 1) {
    await page.keyboard.press("Tab");
    const now = await focused(page);
    if (name.test(now)) {
      return;
    }
    stops.push(now);
  }
  throw new Error(`no stop is called ${name}; there were ${[...new Set(stops)].join(" → ")}`);
}
