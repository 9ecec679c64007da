import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createTunesmith, TrainingMethod } from "@tunesmith/sdk";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { alpaca } from "./alpaca.ts";
import { type Browser, openBrowser } from "./chromium.ts";
import { envoyOf } from "./gateway_process.ts";
import { PICO } from "./made.ts";
import { whySkipped } from "./places.ts";

const gateway = inject("gateway");
const supervisor = inject("supervisor");
const STEPS = 60;
const KILLS = 3;

describe.skipIf(whySkipped())("a job's page whose gateway is killed", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test("goes on by itself, and shows every event and every point once", async () => {
    const tunesmith = createTunesmith({ baseUrl: gateway });
    const dataset = await tunesmith.uploadDataset(new Blob([readFileSync(alpaca().file)]), { filename: "alpaca.json" });
    const { job } = await tunesmith.jobs.createJob({
      provider: "local",
      spec: {
        case: "configuration",
        value: {
          model: { baseModel: PICO },
          datasets: { trainingFileId: dataset.id },
          method: { type: TrainingMethod.LORA, loraConfig: { rank: 2 } },
          schedule: { maxSteps: STEPS, batchSize: 1, sequenceLength: 512 },
        },
      },
    });
    const page = await browser.context.newPage();
    await page.goto(`${gateway}/jobs/${job!.id}`);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = Number(await page.getByTestId("latest-loss").filter({ hasText: /\d/ }).textContent({ timeout: 120_000 }));
      expect(before).toBeGreaterThan(0);
      process.kill(envoyOf(supervisor), "SIGKILL");
      await pause(1_500);
    }
    await page.locator(".badge", { hasText: "Succeeded" }).first().waitFor({ timeout: 240_000 });

    const { events } = await tunesmith.jobs.listJobEvents({ jobId: job!.id });
    const shown = await page.getByRole("log", { name: "Events" }).locator(".event-message").allTextContents();
    expect(shown).toEqual(events.map(({ message }) => message));

    const { series } = await tunesmith.jobs.listJobMetrics({ jobId: job!.id, key: "train_loss" });
    const table = page.locator(".chart-table").first();
    await table.getByText("Show as table").click();
    await table.locator("tbody th").first().waitFor();
    const steps = await table.locator("tbody th").allTextContents();
    expect(series[0]!.points).toHaveLength(STEPS);
    expect(steps.map(Number)).toEqual(series[0]!.points.map(({ step }) => Number(step)).reverse());
  });
});
