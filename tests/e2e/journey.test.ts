import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { alpaca } from "./alpaca.ts";
import { type Browser, Complaints, openBrowser } from "./chromium.ts";
import { JobForm } from "./job_form.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");

// One person's way from a fresh home to an adapter on their disk; each step goes on from the one before.
describe.skipIf(whySkipped())("from a dataset to an adapter", () => {
  let browser: Browser;
  let page: Page;
  let complaints: Complaints;
  let form: JobForm;
  const { file, rows } = alpaca();

  beforeAll(async () => {
    browser = await openBrowser();
    page = await browser.context.newPage();
    complaints = new Complaints(page);
    form = new JobForm(page);
  });
  afterAll(() => browser?.close());

  test("an empty home says what comes first", async () => {
    await page.goto(gateway);
    await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
    await page.getByText("tunesmith datasets upload").first().waitFor();
    expect(complaints.found).toEqual([]);
  });

  test("a dataset is uploaded and looked at", async () => {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Datasets" }).click();
    await page.locator('input[type="file"]').setInputFiles(file);
    await page.getByRole("button", { name: "Upload this file" }).click();
    await page.getByText(`${rows} rows`).first().waitFor();
    await page.getByRole("link", { name: "alpaca.json, version 1", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: /alpaca/ }).waitFor();
    expect(complaints.found).toEqual([]);
  });

  test("a value out of range is refused before it is sent, in the server's words", async () => {
    await page.getByRole("link", { name: "Train on this" }).click();
    await page.getByRole("heading", { level: 1, name: "New job" }).waitFor();
    await form.pick("Base model", "pico");
    await form.menu("Method").selectOption({ label: "LoRA" });
    const sent: string[] = [];
    const watching = (request: { url(): string }) => sent.push(request.url());
    page.on("request", watching);
    await form.box("Rank").fill("300");
    const said = "must be greater than or equal to 1 and less than or equal to 256";
    await page.getByText(said).first().waitFor();
    await form.create.click();
    expect(sent.filter((url) => url.endsWith("/CreateJob"))).toEqual([]);
    page.off("request", watching);
    expect(await serverSays(page, 300)).toContain(said);
    await form.box("Rank").fill("4");
    await page.getByText(said).first().waitFor({ state: "detached" });
    expect(complaints.found).toEqual([]);
  });

  test("a job is created, its loss moves, and it succeeds", async () => {
    await form.open("Schedule");
    await form.box("Max steps").fill("24");
    await form.box("Batch size").fill("2");
    await form.create.click();
    await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
    const loss = page.getByTestId("latest-loss");
    await page.waitForFunction(() => Number(document.querySelector('[data-testid="latest-loss"]')?.textContent) > 0);
    const first = await loss.textContent();
    await page.waitForFunction((before) => document.querySelector('[data-testid="latest-loss"]')?.textContent !== before, first);
    await page.locator(".badge", { hasText: "Succeeded" }).first().waitFor({ timeout: 240_000 });
    expect(complaints.found).toEqual([]);
  });

  test("the adapter is downloaded whole", async () => {
    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: /Download adapter/i }).first().click();
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/^adapter-[0-9a-f]{8}\.tar$/);
    const listed = execFileSync("tar", ["-tf", await download.path()], { encoding: "utf8" }).split("\n");
    expect(listed).toContain("adapter/adapter_model.safetensors");
    expect(listed).toContain("adapter/adapter_config.json");
    expect(readFileSync(await download.path()).length % 10240).toBe(0);
    expect(complaints.found).toEqual([]);
  });
});

/** What the server answers to the same value, asked by a program. */
async function serverSays(page: Page, rank: number): Promise<string> {
  const configuration = {
    model: { base_model: "any/model" },
    datasets: { training_file_id: "any" },
    method: { type: "TRAINING_METHOD_LORA", lora_config: { rank } },
  };
  const answer = await page.request.post(`${gateway}/v1/jobs`, { data: { provider: "local", configuration } });
  expect(answer.status()).toBe(400);
  return answer.text();
}
