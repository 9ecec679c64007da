import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { alpaca } from "./alpaca.ts";
import { type Browser, Complaints, openBrowser } from "./chromium.ts";
import { JobForm } from "./job_form.ts";
import { ROOT, whySkipped } from "./places.ts";

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
    await form.pressInVain();
    expect(sent.filter((url) => url.endsWith("/CreateJob"))).toEqual([]);
    page.off("request", watching);
    expect(await serverSays(page, 300)).toContain(said);
    await form.box("Rank").fill("4");
    await page.getByText(said).first().waitFor({ state: "detached" });
    expect(complaints.found).toEqual([]);
  });

  test("the form is copied as commands that create the same job", async () => {
    await form.open("Schedule");
    await form.box("Max steps").fill("24");
    await form.box("Batch size").fill("2");
    await browser.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: gateway });
    const made: string[] = [];
    for (const way of ["curl", "Command line", "Python"]) {
      await page.getByText("Copy as", { exact: true }).click();
      await page.getByRole("button", { name: way, exact: true }).click();
      await page.getByText(`Copied for ${way}`).first().waitFor();
      made.push(idIn(run(way, await page.evaluate(() => navigator.clipboard.readText()))));
      await page.getByText("Copy as", { exact: true }).waitFor();
    }
    const configurations = await Promise.all(
      made.map(async (id) => (await (await page.request.get(`${gateway}/v1/jobs/${id}`)).json()).job.configuration),
    );
    expect(configurations[0].schedule).toMatchObject({ max_steps: 24, batch_size: 2 });
    expect(configurations).toEqual([configurations[0], configurations[0], configurations[0]]);
    await Promise.all(made.map((id) => page.request.post(`${gateway}/v1/jobs/${id}:cancel`, { data: {} })));
    expect(complaints.found).toEqual([]);
  });

  test("a job is created, its loss moves, and it succeeds", async () => {
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

/** Run a copied command as its reader would; what it printed. */
function run(way: string, command: string): string {
  const [program, words] = way === "Python" ? ["python", ["-c", command]] : ["sh", ["-c", command]];
  const path = `${ROOT}.venv/bin:${process.env.PATH}`;
  return execFileSync(program, words, { encoding: "utf8", env: { ...process.env, PATH: path }, stdio: ["ignore", "pipe", "inherit"] });
}

/** The id of the job that a command says it made. */
function idIn(printed: string): string {
  const found = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(printed);
  if (!found) {
    throw new Error(`no job's id in: ${printed}`);
  }
  return found[0];
}

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
