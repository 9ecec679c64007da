import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { createTunesmith } from "@tunesmith/sdk";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { alpaca } from "./alpaca.ts";
import { seriousOn } from "./axe.ts";
import { type Browser, Complaints, openBrowser } from "./chromium.ts";
import { servePage } from "./foreign_page.ts";
import { JobForm } from "./job_form.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");
const foreignPort = inject("foreignPort");

describe.skipIf(whySkipped())("the two elements on a page of another origin", () => {
  let browser: Browser;
  let page: Page;
  let server: Server;
  let complaints: Complaints;

  beforeAll(async () => {
    const tunesmith = createTunesmith({ baseUrl: gateway });
    const dataset = await tunesmith.uploadDataset(new Blob([readFileSync(alpaca().file)]), { filename: "alpaca.json" });
    server = await servePage(
      foreignPort,
      gateway,
      `<tunesmith-configure provider="local" dataset="${dataset.id}"></tunesmith-configure><tunesmith-monitor></tunesmith-monitor>`,
    );
    browser = await openBrowser();
    page = await browser.context.newPage();
    complaints = new Complaints(page);
    await page.goto(`http://127.0.0.1:${foreignPort}/`);
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  test("a configuration is filled in, judged as the server judges, and handed to the page", async () => {
    const form = new JobForm(page.locator("tunesmith-configure"));
    await form.pick("Base model", "pico");
    await form.menu("Method").selectOption({ label: "LoRA" });
    const said = "must be greater than or equal to 1 and less than or equal to 256";
    await form.box("Rank").fill("257");
    await page.getByText(said).first().waitFor();
    await form.box("Rank").fill("4");
    await form.open("Schedule");
    await form.box("Max steps").fill("20");
    await page.waitForFunction(() => {
      const element = document.querySelector("tunesmith-configure") as HTMLElement & { configuration: { schedule?: { max_steps?: number } } };
      return element.configuration?.schedule?.max_steps === 20;
    });
    expect(complaints.found).toEqual([]);
  });

  test("the job it makes is shown by the other element until it succeeds", async () => {
    await page.evaluate(() => {
      const states: string[] = [];
      Object.assign(window, { states });
      document.addEventListener("tunesmith-created", (event) => {
        document.querySelector("tunesmith-monitor")!.setAttribute("job", (event as CustomEvent<{ id: string }>).detail.id);
      });
      document.addEventListener("tunesmith-state", (event) => states.push((event as CustomEvent<{ state: string }>).detail.state));
    });
    await new JobForm(page.locator("tunesmith-configure")).create.click();
    const monitor = page.locator("tunesmith-monitor");
    await monitor.getByTestId("latest-loss").filter({ hasText: /\d/ }).waitFor({ timeout: 120_000 });
    await monitor.locator(".badge", { hasText: "Succeeded" }).first().waitFor({ timeout: 240_000 });
    expect(await page.evaluate(() => (window as unknown as { states: string[] }).states.at(-1))).toBe("SUCCEEDED");
    const downloading = page.waitForEvent("download");
    await monitor.getByRole("link", { name: "Download adapter" }).click();
    const listed = execFileSync("tar", ["-tf", await (await downloading).path()], { encoding: "utf8" }).split("\n");
    expect(listed).toContain("adapter/adapter_model.safetensors");
    expect(complaints.found).toEqual([]);
  });

  test("axe finds nothing serious in them, in both themes", async () => {
    for (const theme of ["light", "dark"]) {
      await page.evaluate((chosen) => document.querySelectorAll("main > *").forEach((each) => each.setAttribute("theme", chosen)), theme);
      await page.waitForTimeout(300);
      expect(await seriousOn(page)).toEqual([]);
    }
  });

  test("a page that was not allowed gets nothing", async () => {
    const stranger = await servePage(0, gateway, "<tunesmith-monitor job=x></tunesmith-monitor>");
    const { port } = stranger.address() as { port: number };
    const other = await browser.context.newPage();
    const refused: string[] = [];
    other.on("requestfailed", (request) => refused.push(request.url()));
    await other.goto(`http://127.0.0.1:${port}/`);
    await expect.poll(() => refused).toEqual([`${gateway}/tunesmith.js`]);
    expect(await other.evaluate(() => customElements.get("tunesmith-monitor") === undefined)).toBe(true);
    stranger.close();
  });
});
