import { readFileSync } from "node:fs";
import { createTunesmith, isTerminal, TrainingMethod, type Tunesmith } from "@tunesmith/sdk";
import { alpaca, ROWS } from "./alpaca.ts";

/** The model that every first start has. */
export const PICO = "tunesmith/pico";

/** What was made for a test. */
export interface Made {
  tunesmith: Tunesmith;
  dataset: string;
  job: string;
}

/** A dataset and a job that went through, for tests that look at pages and not at how they came about. */
export async function makeJob(gateway: string, maxSteps = 12): Promise<Made> {
  const tunesmith = createTunesmith({ baseUrl: gateway });
  const upload = (displayName: string, from: number) =>
    tunesmith.uploadDataset(new Blob([readFileSync(alpaca(from).file)]), { filename: "alpaca.json", displayName });
  const dataset = await upload("alpaca", 0);
  const heldOut = await upload("alpaca, held out", ROWS);
  const { job } = await tunesmith.jobs.createJob({
    provider: "local",
    displayName: "pico on alpaca",
    // It has a setting of another provider, so that there is a field that this one leaves out, which is a warning.
    acceptWarnings: true,
    spec: {
      case: "configuration",
      value: {
        model: { baseModel: PICO },
        datasets: { trainingFileId: dataset.id, validationFileId: heldOut.id },
        method: { type: TrainingMethod.LORA, loraConfig: { rank: 4 } },
        schedule: { maxSteps, batchSize: 1, sequenceLength: 512, evaluations: 4 },
        optimizer: { learningRate: 1e-3 },
        metadata: { together: { n_checkpoints: 2 } },
      },
    },
  });
  for await (const { job: now } of tunesmith.watchJob(job!.id)) {
    if (now && isTerminal(now.state)) {
      break;
    }
  }
  return { tunesmith, dataset: dataset.id, job: job!.id };
}
