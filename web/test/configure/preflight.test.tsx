// The report in the form: what is wrong, with a button that puts it right; what it needs; what has to be accepted.
import { create } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { cleanup, screen, waitFor, within } from "@testing-library/react";
import {
  Basis,
  Confidence,
  DeviceKind,
  Estimation,
  type MemoryEstimateSchema,
  type ReportSchema,
  Severity,
  SpeedSource,
} from "@tunesmith/sdk";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, describe, expect, test, vi } from "vitest";
import { COMPLETE, Gateway, show } from "./stack.js";

afterEach(cleanup);

const GB = 1_000_000_000n;
const WRONG = { ...COMPLETE, method: { type: "TRAINING_METHOD_LORA", lora_config: { trainable_modules: "q_proj" } } };
const TARGETS = {
  code: "LORA_TARGET_NOT_FOUND",
  severity: Severity.ERROR,
  fieldPath: "method.lora_config.trainable_modules",
  message: "pico has no layer q_proj; it has c_attn, c_proj",
  fix: {
    label: "Set targets to c_attn, c_proj",
    edits: [{ fieldPath: "method.lora_config.trainable_modules", value: text("c_attn,c_proj") }],
  },
};
const FEW = {
  code: "FEW_ROWS",
  severity: Severity.WARNING,
  fieldPath: "datasets.training_file_id",
  message: "the dataset has 8 rows; add rows",
};
const MEMORY: MessageInitShape<typeof MemoryEstimateSchema> = {
  peakBytes: 10n * GB,
  lowBytes: 9n * GB,
  highBytes: 12n * GB,
  deviceBytes: 24n * GB,
  steadyBytes: 7n * GB,
  deviceCount: 1,
  components: [
    { name: "weights", bytes: 6n * GB },
    { name: "activations", bytes: 4n * GB },
    { name: "logits", bytes: 0n },
  ],
  phases: [{ name: "optimizer_step", bytes: 8n * GB, components: [{ name: "weights", bytes: 8n * GB }] }],
  basis: Basis.CLOSED_FORM,
  confidence: Confidence.MEDIUM,
  remarks: ["attention is fused"],
  parameterCount: 2_000_000n,
  trainableParameterCount: 20_000n,
};
const NEEDS: MessageInitShape<typeof ReportSchema> = {
  memory: MEMORY,
  throughput: {
    stepSeconds: 0.4,
    lowStepSeconds: 0.34,
    highStepSeconds: 0.44,
    tokensPerSecond: 5120.4,
    samplesPerSecond: 10,
    totalSteps: 1200n,
    speedSource: SpeedSource.PROBE,
  },
  durationSeconds: 480,
  queueSeconds: 0,
  cost: { amount: 0.25, currency: "USD", detail: "8 GPU minutes at 1.79 USD" },
  placement: { device: { kind: DeviceKind.CUDA, name: "L4" }, deviceCount: 1, detail: "as the pool measured" },
  downloadBytes: 5n * GB,
  downloadSeconds: 200,
};

function text(value: string) {
  return create(ValueSchema, { kind: { case: "stringValue", value } });
}

const panel = () => screen.findByRole("region", { name: "Preflight" });

describe("a report in the form", () => {
  test("says what is wrong at its field and in the panel, and one click puts it right", async () => {
    const gateway = new Gateway();
    gateway.report = ({ configuration }) =>
      configuration?.method?.loraConfig?.trainableModules === "q_proj" ? { ok: false, findings: [TARGETS] } : {};
    const { user } = show({ initial: WRONG }, gateway);
    const side = within(await panel());
    await user.click(await side.findByRole("button", { name: "Set targets to c_attn, c_proj" }));
    expect((screen.getByRole("textbox", { name: "Trainable modules" }) as HTMLInputElement).value).toBe("c_attn,c_proj");
    await waitFor(() => expect(side.getByRole("heading", { name: "Ready" })).toBeTruthy());
    expect(screen.queryByText(TARGETS.message)).toBeNull();
    await waitFor(() => expect(gateway.checked.at(-1)?.configuration?.method?.loraConfig?.trainableModules).toBe("c_attn,c_proj"));
  });

  test("its errors stop the job and lead to their field", async () => {
    const gateway = new Gateway();
    gateway.report = () => ({ ok: false, findings: [TARGETS] });
    const { user } = show({ initial: WRONG }, gateway);
    const side = within(await panel());
    const create = side.getByRole("button", { name: "Create job" });
    // Before anything was answered: the last report is waited for.
    await user.click(create);
    const field = screen.getByRole("textbox", { name: "Trainable modules" });
    await waitFor(() => expect(document.activeElement).toBe(field));
    expect(gateway.created).toHaveLength(0);
    expect(side.getByRole("heading", { name: "1 problem" })).toBeTruthy();
    expect(create.getAttribute("aria-disabled")).toBe("true");
    expect(field.getAttribute("aria-invalid")).toBe("true");
    expect(within(field.closest(".field") as HTMLElement).getByText(TARGETS.message)).toBeTruthy();
    field.blur();
    await user.click(side.getByRole("button", { name: "Trainable modules" }));
    await waitFor(() => expect(document.activeElement).toBe(field));
  });

  test("all fixes are applied at once, the graver first", async () => {
    const gateway = new Gateway();
    const rank = (value: number, severity: Severity) => ({
      code: `RANK_${value}`,
      severity,
      fieldPath: "method.lora_config.rank",
      message: `rank ${value} is better`,
      fix: {
        label: `Set rank to ${value}`,
        edits: [
          { fieldPath: "method.lora_config.rank", value: create(ValueSchema, { kind: { case: "numberValue", value } }) },
        ],
      },
    });
    gateway.report = ({ configuration }) =>
      configuration?.method?.loraConfig?.rank ? {} : { findings: [TARGETS, rank(16, Severity.ERROR), rank(64, Severity.WARNING)] };
    const { user } = show({ initial: WRONG }, gateway);
    await user.click(await screen.findByRole("button", { name: "Fix all 3" }));
    expect((screen.getByRole("textbox", { name: "Rank" }) as HTMLInputElement).value).toBe("16");
    expect((screen.getByRole("textbox", { name: "Trainable modules" }) as HTMLInputElement).value).toBe("c_attn,c_proj");
  });

  test("its warnings are listed and have to be accepted; nothing is sent before", async () => {
    const gateway = new Gateway();
    gateway.report = () => ({ ok: true, findings: [FEW] });
    const made = vi.fn();
    const { user } = show({ initial: COMPLETE, onCreated: made }, gateway);
    const side = within(await panel());
    await side.findByRole("heading", { name: "1 warning" });
    await user.click(side.getByRole("button", { name: "Create job" }));
    const first = await screen.findByRole("dialog", { name: "One warning" });
    expect(first.textContent).toContain(FEW.message);
    expect(gateway.created).toHaveLength(0);
    await user.click(within(first).getByRole("button", { name: "Back to the form" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    await user.click(side.getByRole("button", { name: "Create job" }));
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Create all the same" }));
    await waitFor(() => expect(made).toHaveBeenCalled());
    expect(gateway.created.map(({ acceptWarnings }) => acceptWarnings)).toEqual([true]);
  });

  test("an answer to what no longer stands there is dropped, and typing waits for nothing", async () => {
    const gateway = new Gateway();
    const answers: (() => void)[] = [];
    gateway.report = ({ configuration }) =>
      new Promise((resolve) => answers.push(() => resolve({ findings: [{ ...FEW, message: `rank ${configuration?.method?.loraConfig?.rank}` }] })));
    const { user } = show({ initial: COMPLETE }, gateway);
    await waitFor(() => expect(answers).toHaveLength(1));
    await user.type(screen.getByRole("textbox", { name: "Rank" }), "32");
    expect((screen.getByRole("textbox", { name: "Rank" }) as HTMLInputElement).value).toBe("32");
    // Both keys within the rest that is waited for: one question.
    await waitFor(() => expect(answers).toHaveLength(2));
    answers[1]!();
    const side = within(await panel());
    await side.findByText(/rank 32/);
    answers[0]!();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(side.queryByText(/rank undefined/)).toBeNull();
    expect(side.getByText(/rank 32/)).toBeTruthy();
  });

  test("what was said of a field that was changed goes at once, the rest stays until it is asked again", async () => {
    const gateway = new Gateway();
    const rank = { ...FEW, code: "RANK", fieldPath: "method.lora_config.rank", message: "rank is odd" };
    gateway.report = () => ({ findings: [FEW, rank] });
    const { user } = show({ initial: COMPLETE }, gateway);
    const side = within(await panel());
    await side.findByText(/rank is odd/);
    await user.type(screen.getByRole("textbox", { name: "Rank" }), "4");
    expect(side.queryByText(/rank is odd/)).toBeNull();
    expect(side.getByText(new RegExp(FEW.message))).toBeTruthy();
    await side.findByText(/rank is odd/);
  });

  test("where nobody answers, the form still works and the server judges when the job is created", async () => {
    const gateway = new Gateway();
    gateway.report = () => {
      throw new ConnectError("preflight is not there; start it", Code.FailedPrecondition);
    };
    const { user } = show({ initial: COMPLETE }, gateway);
    const side = within(await panel());
    await side.findByText("preflight is not there; start it");
    gateway.report = () => ({});
    await user.click(side.getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(side.queryByText("preflight is not there; start it")).toBeNull());
    await user.click(side.getByRole("button", { name: "Create job" }));
    await waitFor(() => expect(gateway.created).toHaveLength(1));
  });
});

describe("what a job needs", () => {
  test("each figure says that it is estimated and how far it may be off", async () => {
    const gateway = new Gateway();
    gateway.report = () => NEEDS;
    show({ initial: COMPLETE }, gateway);
    const needs = await screen.findByRole("region", { name: "What it needs" });
    const said = needs.textContent!.replace(/\s+/g, " ");
    for (const words of [
      "10.0 GB of 24.0 GB on each device, estimated (±20 %)",
      "Runs on1 × L4as the pool measured",
      "A step400 msestimated (±15 %); speed from the pool's own probe",
      "Speed5,120 tokens/s10 rows/s, 1,200 steps; estimated",
      "Trains for8 min 0 sestimated (±15 %)",
      "Waits fornothing, a pool is free",
      "Costs$0.25estimated (±15 %); 8 GPU minutes at 1.79 USD",
      "Downloads first5.00 GB, about 3 min 20 sestimated",
      "Medium confidence: by formulas, for this provider's trainer.",
      "Trains 20K of 2M parameters (1.0 %).",
      "attention is fused",
    ]) {
      expect(said).toContain(words);
    }
  });

  test("the picture has a table behind it, and a bar for each phase", async () => {
    const gateway = new Gateway();
    gateway.report = () => NEEDS;
    show({ initial: COMPLETE }, gateway);
    const needs = await screen.findByRole("region", { name: "What it needs" });
    const rows = within(within(needs).getByRole("table", { name: "What the peak consists of" })).getAllByRole("row");
    expect(rows.map((row) => row.textContent)).toEqual([
      "Weights6.00 GB",
      "Activations4.00 GB",
      "Held between steps7.00 GB",
      "Nineteen in twenty runs9.00 GB – 12.0 GB",
    ]);
    const bars = [...needs.querySelectorAll<HTMLElement>(".memory-bar")];
    expect(bars).toHaveLength(2);
    expect(bars.every((bar) => bar.getAttribute("aria-hidden") === "true")).toBe(true);
    const shares = [...bars[0]!.querySelectorAll<HTMLElement>(".memory-parts > span")].map((part) => part.style.getPropertyValue("--share"));
    expect(shares.map(Number)).toEqual([0.25, 4 / 24, 0]);
    expect(bars[0]!.querySelector<HTMLElement>(".memory-device")!.style.getPropertyValue("--at")).toBe("1");
  });

  test("a trace is asked for once, and an edit goes back to formulas", async () => {
    const gateway = new Gateway();
    gateway.report = () => NEEDS;
    const { user } = show({ initial: COMPLETE }, gateway);
    await user.click(await screen.findByRole("button", { name: "Check by tracing" }));
    await screen.findByRole("button", { name: "Checked by tracing" });
    await user.type(screen.getByRole("textbox", { name: "Rank" }), "4");
    await screen.findByRole("button", { name: "Check by tracing" });
    const asked = [Estimation.CLOSED_FORM, Estimation.TRACED, Estimation.CLOSED_FORM];
    await waitFor(() => expect(gateway.checked.map(({ estimation }) => estimation)).toEqual(asked));
  });

  test("providers are compared when somebody wants to know", async () => {
    const gateway = new Gateway();
    gateway.report = () => NEEDS;
    gateway.ranking = {
      providers: [
        { provider: "limited", displayName: "Limited", runnable: true, fits: true, stepSeconds: 0.4, durationSeconds: 60, reason: "the only one that fits" },
        { provider: "other", displayName: "Other", runnable: false, reason: "it has no LoRA", dropped: [{ fieldPath: "schedule.seed" }] },
      ],
    };
    const { user } = show({ initial: COMPLETE }, gateway);
    await user.click(await screen.findByText("Every provider, side by side"));
    const list = within(await screen.findByRole("region", { name: "What it needs" }));
    await list.findByText("the only one that fits");
    expect(list.getAllByRole("listitem").filter((one) => one.dataset.runnable).map((one) => one.textContent)).toEqual([
      "LimitedCan run it400 ms a step · 1 min 0 s in all, estimatedthe only one that fits",
      "OtherCan’t run it1 field left out, estimatedit has no LoRA",
    ]);
  });
});

describe("recipes and smart defaults", () => {
  const recipes = {
    recipes: [
      {
        recipe: { id: "r1", displayName: "LoRA", defaults: { method: { type: 2, loraConfig: { rank: 16 } }, schedule: { epochs: 2 } } },
        suitable: true,
        recommended: true,
        reason: "it fits with room to spare",
        minimumDeviceBytes: 2n * GB,
      },
      {
        recipe: { id: "r2", displayName: "Full" },
        suitable: false,
        reason: "its weights are quantized",
        findings: [{ code: "QUANTIZED", severity: Severity.ERROR, message: "use LoRA" }],
      },
    ],
  };

  test("a recipe sets its values and leaves the rest, and is checked with the job", async () => {
    const gateway = new Gateway();
    gateway.recipes = recipes;
    const { user } = show({ initial: { model: COMPLETE.model, datasets: COMPLETE.datasets, schedule: { seed: 7 } } }, gateway);
    await user.click(await screen.findByRole("button", { name: "Use LoRA" }));
    const json = JSON.parse((screen.getByLabelText("The configuration as JSON") as HTMLTextAreaElement).value) as Record<string, unknown>;
    expect(json).toEqual({
      ...COMPLETE,
      method: { type: "TRAINING_METHOD_LORA", lora_config: { rank: 16 } },
      schedule: { epochs: 2, seed: 7 },
    });
    await waitFor(() => expect(gateway.checked.at(-1)?.recipe).toBe("r1"));
    expect(gateway.asked.recipes[0]).toMatchObject({ provider: "limited", baseModel: "tunesmith/pico", trainingFileId: "d1" });
  });

  test("one that does not suit says why, and can't be used", async () => {
    const gateway = new Gateway();
    gateway.recipes = recipes;
    show({ initial: COMPLETE }, gateway);
    const card = (await screen.findByRole("heading", { name: "Full" })).closest("li")!;
    expect(card.textContent).toContain("its weights are quantized");
    expect(card.textContent).toContain("use LoRA");
    expect(within(card).queryByRole("button")).toBeNull();
    expect(screen.getByText("Recommended").closest("li")!.textContent).toContain("From 2.00 GB of memory, estimated");
  });

  test("values are shown with their reasons before they are set", async () => {
    const gateway = new Gateway();
    gateway.recipes = recipes;
    gateway.defaults = {
      configuration: { model: { baseModel: "tunesmith/pico" }, datasets: { trainingFileId: "d1" }, method: { type: 2, loraConfig: { rank: 32 } } },
      values: [
        { fieldPath: "method.lora_config.rank", value: create(ValueSchema, { kind: { case: "numberValue", value: 32 } }), reason: "the dataset is large" },
        { fieldPath: "model.precision", value: text("MODEL_PRECISION_BF16"), reason: "the device computes in it" },
      ],
      recipeId: "r1",
    };
    const { user } = show({ initial: COMPLETE }, gateway);
    await user.click(await screen.findByRole("button", { name: "Use smart defaults" }));
    await screen.findByText("the dataset is large");
    expect(screen.getByText("the device computes in it").closest("div")!.textContent).toContain("BF16");
    expect((screen.getByRole("textbox", { name: "Rank" }) as HTMLInputElement).value).toBe("");
    await user.click(screen.getByRole("button", { name: "Use these 2 values" }));
    expect((screen.getByRole("textbox", { name: "Rank" }) as HTMLInputElement).value).toBe("32");
  });
});
