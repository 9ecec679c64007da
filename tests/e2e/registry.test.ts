import { execFileSync } from "node:child_process";
import { createTunesmith } from "@tunesmith/sdk";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Browser, Complaints, openBrowser } from "./chromium.ts";
import { type Made, makeJob, PICO } from "./made.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");

describe.skipIf(whySkipped())("what there is to train with", () => {
  let browser: Browser;
  let page: Page;
  let complaints: Complaints;
  let made: Made;
  const dialog = (name: string | RegExp) => page.getByRole("dialog", { name });

  beforeAll(async () => {
    made = await makeJob(gateway);
    browser = await openBrowser();
    page = await browser.context.newPage();
    complaints = new Complaints(page);
  });
  afterAll(() => browser?.close());

  test("a model is found by its filters, looked at and changed", async () => {
    await page.goto(`${gateway}/models`);
    await page.getByRole("combobox", { name: "Family" }).selectOption("llama");
    await page.getByRole("combobox", { name: "Stage" }).selectOption({ label: "Random" });
    await page.getByRole("link", { name: "pico", exact: true }).click();
    const panel = dialog("pico");
    await panel.getByText("2,164,416", { exact: true }).waitFor();
    await panel.getByRole("cell", { name: "all-linear" }).first().waitFor();
    await panel.getByRole("button", { name: "Change" }).click();
    await dialog("Change pico").getByLabel("Lifecycle").selectOption({ label: "Production" });
    await dialog("Change pico").getByRole("button", { name: "Save" }).click();
    await panel.getByText("Production").first().waitFor();
    const { baseModel } = await made.tunesmith.registry.getBaseModel({ id: PICO });
    expect(baseModel?.lifecycle).toBe(2);
    await made.tunesmith.registry.updateBaseModel({ id: baseModel!.id, lifecycle: 1 });
    expect(complaints.found).toEqual([]);
  });

  test("a dataset has its figures, is verified, converted and deleted", async () => {
    await page.goto(`${gateway}/datasets/${made.dataset}`);
    const statistics = page.getByRole("region", { name: "Statistics" });
    await statistics.getByText(/estimated/).first().waitFor();
    const estimated = await statistics.locator("p strong").first().textContent();
    await statistics.getByLabel("Tokens by").selectOption({ label: "pico" });
    await expect.poll(() => statistics.locator("p strong").first().textContent(), { timeout: 30_000 }).not.toBe(estimated);
    await statistics.getByText("Show as table").click();
    expect(await statistics.getByRole("table").getByRole("row").count()).toBeGreaterThan(3);
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByText("Verified").waitFor();
    await page.getByRole("button", { name: "Convert" }).click();
    await dialog(/^Convert/).getByLabel("Into").selectOption({ label: "Messages" });
    await dialog(/^Convert/).getByLabel("Display name").fill("as messages");
    await dialog(/^Convert/).getByRole("button", { name: "Convert" }).click();
    await dialog(/^Convert/).getByRole("link", { name: /as messages, version/ }).click();
    await page.getByRole("heading", { level: 1, name: /as messages/ }).waitFor();
    await page.getByRole("list", { name: "Conversation" }).first().waitFor();
    await page.getByRole("link", { name: /^alpaca, version/ }).waitFor();
    await page.getByRole("button", { name: "Delete" }).click();
    await dialog(/^Delete/).getByRole("button", { name: "Delete the dataset" }).click();
    await page.waitForURL(/\/datasets$/);
    await page.getByRole("row").nth(1).waitFor();
    await page.getByRole("link", { name: "as messages" }).waitFor({ state: "detached" });
    expect(complaints.found).toEqual([]);
  });

  test("a recipe is added, changed and deleted", async () => {
    await page.goto(`${gateway}/recipes`);
    await page.getByRole("button", { name: "Add a recipe" }).first().click();
    const adding = dialog("Add a recipe");
    await adding.getByLabel("Display name").fill("by journey");
    await adding.getByLabel("Defaults").fill('{"schedule": {"epoch": 2}}');
    await adding.getByRole("button", { name: "Save" }).click();
    await adding.getByText("schedule.epoch is unknown; did you mean schedule.epochs?").waitFor();
    await adding.getByLabel("Defaults").fill('{"method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 16}}}');
    await adding.getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: "Change by journey" }).click();
    await dialog("Change by journey").getByLabel("Description").fill("Made by a journey.");
    await dialog("Change by journey").getByRole("button", { name: "Save" }).click();
    await page.getByText("Made by a journey.").waitFor();
    await page.getByRole("button", { name: "Delete by journey" }).click();
    await dialog(/^Delete/).getByRole("button", { name: "Delete the recipe" }).click();
    await page.getByText("Made by a journey.").waitFor({ state: "detached" });
    expect(complaints.found).toEqual([]);
  });

  test("an adapter is registered from its job, taken away, uploaded again and composed", async () => {
    await page.goto(`${gateway}/jobs/${made.job}`);
    await page.getByRole("button", { name: "Register adapter" }).click();
    await page.getByRole("link", { name: /^Open / }).click();
    const panel = page.getByRole("dialog");
    await panel.getByText("Ready").waitFor();
    const name = await panel.getByRole("heading", { level: 2 }).textContent();
    const downloading = page.waitForEvent("download");
    await panel.getByRole("button", { name: "Download" }).click();
    const archive = await (await downloading).path();
    const listed = execFileSync("tar", ["-tf", archive], { encoding: "utf8" }).trim().split("\n");
    expect(listed).toContain("adapter/adapter_config.json");
    expect(listed).toContain("adapter/adapter_model.safetensors");
    await panel.getByRole("button", { name: "Close" }).click();

    await page.getByRole("button", { name: "Upload an adapter" }).click();
    const uploading = dialog("Upload an adapter");
    await uploading.getByLabel("Archive").setInputFiles({ name: "again.tar", mimeType: "application/x-tar", buffer: execFileSync("cat", [archive]) });
    await uploading.getByLabel("Base model").selectOption({ label: PICO });
    await uploading.getByLabel("Display name").fill("uploaded again");
    await uploading.getByRole("button", { name: "Upload" }).click();
    await dialog("uploaded again").getByText("Ready").waitFor();
    await dialog("uploaded again").getByRole("button", { name: "Close" }).click();

    await page.getByLabel(`Compose ${name}`).first().check();
    await page.getByLabel("Compose uploaded again").check();
    await page.getByRole("button", { name: "Compose 2" }).click();
    const composing = dialog("Compose 2 adapters");
    await composing.getByLabel("Weight of uploaded again").fill("0.5");
    await composing.getByLabel("Display name").fill("the sum");
    await composing.getByRole("button", { name: "Compose" }).click();
    await dialog("the sum").getByText(/0\.5 ×/).waitFor();
    await dialog("the sum").getByRole("button", { name: "Delete" }).click();
    await dialog(/^Delete/).getByRole("button", { name: "Delete the adapter" }).click();
    await page.getByRole("link", { name: "the sum" }).waitFor({ state: "detached" });
    const { adapters } = await createTunesmith({ baseUrl: gateway }).adapters.listAdapters({});
    for (const adapter of adapters.filter(({ displayName }) => displayName === "uploaded again" || displayName === name)) {
      await made.tunesmith.adapters.deleteAdapter({ id: adapter.id });
    }
    expect(complaints.found).toEqual([]);
  });
});
