import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { alpaca } from "./alpaca.ts";
import { type Browser, Complaints, openBrowser } from "./chromium.ts";
import { focused, tabTo } from "./keyboard.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");

// No pointer is moved here: every step is a key.
describe.skipIf(whySkipped())("by keyboard alone", () => {
  let browser: Browser;
  let page: Page;
  let complaints: Complaints;

  beforeAll(async () => {
    browser = await openBrowser();
    page = await browser.context.newPage();
    complaints = new Complaints(page);
    // The browser hands file choosers over only once somebody listens, and a key may be faster than the listening.
    page.on("filechooser", () => undefined);
    await page.goto(gateway);
    await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
  });
  afterAll(() => browser?.close());

  test("the first stop leads past the navigation", async () => {
    await page.keyboard.press("Tab");
    expect(await focused(page)).toBe("a: Skip to the page");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("page");
  });

  test("the shortcuts are told and lead to the pages", async () => {
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("m");
    await page.getByRole("heading", { level: 1, name: "Models" }).waitFor();
    for (const [key, name] of [
      ["r", /^Recipes/],
      ["a", /^Adapters/],
      ["d", /^Datasets/],
    ] as const) {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await page.getByRole("heading", { level: 1, name }).waitFor();
    }
  });

  test("a dataset is uploaded", async () => {
    await tabTo(page, /^button: Upload files/);
    const choosing = page.waitForEvent("filechooser");
    await page.keyboard.press("Enter");
    await (await choosing).setFiles(alpaca().file);
    await page.getByRole("button", { name: "Upload this file" }).waitFor();
    await tabTo(page, /^button: Upload this file/);
    await page.keyboard.press("Enter");
    await page.getByText(/Stored as/).waitFor();
  });

  test("a job is filled in and created", async () => {
    await tabTo(page, /^a: Train on alpaca/);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "New job" }).waitFor();
    await page.getByRole("combobox", { name: /^Base model/ }).waitFor();
    await tabTo(page, /^input: Base model/);
    await page.keyboard.type("pico");
    await page.getByRole("listbox", { name: "Base model" }).getByRole("option").first().waitFor();
    await page.keyboard.press("Enter");
    await tabTo(page, /^select: Method/);
    await page.keyboard.type("LoRA");
    await tabTo(page, /^input: Rank/);
    const before = await page.getByRole("textbox", { name: "Rank", exact: true }).inputValue();
    await page.keyboard.press("ArrowRight");
    expect(await page.getByRole("textbox", { name: "Rank", exact: true }).inputValue()).not.toBe(before);
    await tabTo(page, /^input: Trainable modules/);
    await page.keyboard.type("c_attn");
    await tabTo(page, /^summary: Schedule/);
    await page.keyboard.press("Enter");
    await tabTo(page, /^input: Max steps/);
    await page.keyboard.type("200");
    // What is wrong is put right by its button, and the focus is not lost with it.
    await page.getByRole("button", { name: /^Set targets/ }).waitFor();
    await tabTo(page, /^button: Set targets/);
    await page.keyboard.press("Enter");
    await page.getByText(/has no c_attn/).first().waitFor({ state: "detached" });
    expect(await focused(page)).toMatch(/^h2: /);
    await tabTo(page, /^button: Create job/);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
  });

  test("a job is cancelled, and only after it was asked twice", async () => {
    await page.getByRole("button", { name: "Cancel job" }).waitFor();
    await tabTo(page, /^button: Cancel job/);
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    expect(await focused(page)).toBe("button: Let it go on");
    await page.keyboard.press("Tab");
    expect(await focused(page)).toBe("button: Cancel the job");
    await page.keyboard.press("Enter");
    await page.locator(".badge", { hasText: "Cancelled" }).first().waitFor({ timeout: 120_000 });
  });

  test("a job is found in the list and opened", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("j");
    await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
    await page.getByRole("row").nth(1).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("alpaca");
    await page.waitForURL(/alpaca/);
    await page.getByRole("row").nth(1).waitFor();
    await tabTo(page, /alpaca/);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/jobs\/[0-9a-f-]{36}/);
    expect(complaints.found).toEqual([]);
  });
});
