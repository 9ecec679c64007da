import { createTunesmith, RecipeType, TrainingMethod } from "@tunesmith/sdk";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Browser, Complaints, openBrowser } from "./chromium.ts";
import { JobForm } from "./job_form.ts";
import { PICO } from "./made.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");

/** So many sums as prompt and completion. */
function sums(count: number): Blob {
  const row = (n: number) => JSON.stringify({ prompt: `Twice ${n} is what?`, completion: `Twice ${n} is ${2 * n}.` });
  return new Blob([Array.from({ length: count }, (_, n) => row(n)).join("\n")]);
}

describe.skipIf(whySkipped())("before a job is created", () => {
  let browser: Browser;
  let page: Page;
  let complaints: Complaints;
  let form: JobForm;
  const ids = { enough: "", few: "" };
  const sent: string[] = [];

  beforeAll(async () => {
    const tunesmith = createTunesmith({ baseUrl: gateway });
    ids.enough = (await tunesmith.uploadDataset(sums(600), { filename: "enough.jsonl" })).id;
    ids.few = (await tunesmith.uploadDataset(sums(5), { filename: "few.jsonl" })).id;
    browser = await openBrowser();
    page = await browser.context.newPage();
    complaints = new Complaints(page);
    form = new JobForm(page);
    page.on("request", (request) => request.url().endsWith("/CreateJob") && sent.push(request.url()));
  });
  afterAll(() => browser?.close());

  /** The form for a dataset, without what an earlier test left in it. */
  const fresh = async (dataset: string) => {
    await page.goto(gateway);
    await page.evaluate(() => sessionStorage.clear());
    await page.goto(`${gateway}/jobs/new?dataset=${dataset}&base_model=${encodeURIComponent(PICO)}`);
  };

  test("a layer that the model does not have is found, put right by one click, and the job is created", async () => {
    await fresh(ids.enough);
    await form.menu("Method").selectOption({ label: "LoRA" });
    const targets = form.box("Trainable modules");
    await targets.fill("q_proj,c_attn");
    const field = page.locator(".field", { has: targets });
    await field.getByText(/has no c_attn/).waitFor();
    await form.preflight.getByRole("heading", { name: "1 problem" }).waitFor();
    await form.pressInVain();
    expect(await targets.evaluate((box) => box === document.activeElement)).toBe(true);
    expect(sent).toEqual([]);
    await form.preflight.getByRole("button", { name: /^Set targets to/ }).click();
    await form.ready();
    expect(await targets.inputValue()).toContain("q_proj");
    expect(await targets.inputValue()).not.toContain("c_attn");
    await form.open("Schedule");
    await form.box("Max steps").fill("4");
    await form.ready();
    await form.create.click();
    await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
    expect(sent).toHaveLength(1);
    expect(complaints.found).toEqual([]);
  });

  test("what it needs stands beside the form, with how far it may be off", async () => {
    await fresh(ids.enough);
    await form.menu("Method").selectOption({ label: "LoRA" });
    await form.ready();
    const needs = page.getByRole("region", { name: "What it needs" });
    await needs.getByText(/estimated \(±\d+ %\)/).first().waitFor();
    const parts = await needs.getByRole("table", { name: "What the peak consists of" }).getByRole("row").allTextContents();
    expect(parts.length).toBeGreaterThan(4);
    expect(parts.join(" ")).toMatch(/Weights.*Activations/);
    const before = await needs.locator(".memory-line strong").textContent();
    await form.open("Schedule");
    await form.box("Batch size").fill("16");
    await page.waitForFunction((old) => document.querySelector(".memory-line strong")?.textContent !== old, before);
    await needs.getByText("Every provider, side by side").click();
    await needs.getByRole("listitem").filter({ hasText: "Can run it" }).waitFor();
    expect(complaints.found).toEqual([]);
  });

  test("a recipe and values with their reasons are set by a click", async () => {
    // Of its own: the catalogue's may still be on their way.
    const name = "LoRA by journey";
    const recipe = { displayName: name, type: RecipeType.LORA, defaults: { method: { type: TrainingMethod.LORA, loraConfig: { rank: 16, alpha: 32 } } } };
    await createTunesmith({ baseUrl: gateway }).recipes.createRecipe({ recipe });
    await fresh(ids.enough);
    await page.getByRole("button", { name: `Use ${name}`, exact: true }).click();
    await expect.poll(() => form.box("Rank").inputValue()).toBe("16");
    await page.getByRole("button", { name: "Use smart defaults" }).click();
    await page.getByRole("button", { name: /^Use th(is|ese)/ }).click();
    await form.ready();
    expect(complaints.found).toEqual([]);
  });

  test("a warning is shown, and the job is created only once it was accepted", async () => {
    sent.length = 0;
    await fresh(ids.few);
    await form.menu("Method").selectOption({ label: "LoRA" });
    await form.open("Schedule");
    await form.box("Max steps").fill("2");
    await form.preflight.getByRole("heading", { name: /warning/ }).waitFor();
    await form.create.click();
    const dialog = page.getByRole("dialog", { name: /warning/ });
    await dialog.getByText(/5 rows/).waitFor();
    await dialog.getByRole("button", { name: "Back to the form" }).click();
    expect(sent).toEqual([]);
    await form.create.click();
    await dialog.getByRole("button", { name: "Create all the same" }).click();
    await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
    expect(sent).toHaveLength(1);
    expect(complaints.found).toEqual([]);
  });

  test("a check by tracing says so", async () => {
    await fresh(ids.enough);
    await form.menu("Method").selectOption({ label: "LoRA" });
    await page.getByRole("button", { name: "Check by tracing" }).click();
    await page.getByRole("button", { name: "Checked by tracing" }).waitFor({ timeout: 60_000 });
    await page.getByRole("region", { name: "What it needs" }).getByText(/running the model's own code/).waitFor();
    expect(complaints.found).toEqual([]);
  });
});
