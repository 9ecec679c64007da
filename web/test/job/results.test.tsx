// What can be made of a job that is there: exports, a script, a better one, and a look at its weights.
import { create } from "@bufbuild/protobuf";
import { cleanup, screen, waitFor, within } from "@testing-library/react";
import {
  ArtifactKind,
  type CreateJobRequest,
  ExportConfigurationSchema,
  ExportFormat,
  FixSchema,
  GgufType,
  JobConfigurationSchema,
  JobState,
  ScriptFormat,
} from "@tunesmith/sdk";
import { afterEach, expect, test } from "vitest";
import { jobAt } from "../monitor/messages.js";
import { artifact, page } from "./plant.js";

afterEach(cleanup);

const TRAINING = {
  spec: { case: "configuration" as const, value: create(JobConfigurationSchema, {}) },
  resolvedSpec: { case: "resolvedConfiguration" as const, value: create(JobConfigurationSchema, {}) },
};
const EXPORT = create(ExportConfigurationSchema, { artifactId: "a1", format: ExportFormat.GGUF, ggufType: GgufType.Q8_0 });

test("an adapter is exported by a job of its own", async () => {
  const asked: CreateJobRequest[] = [];
  const { user } = page(jobAt(JobState.SUCCEEDED, 1, TRAINING), {
    listArtifacts: () => ({ artifacts: [artifact("a1", "adapter/adapter_config.json", ArtifactKind.ADAPTER)] }),
    createJob: (request) => {
      asked.push(request);
      return { job: jobAt(JobState.QUEUED, 1) };
    },
  });
  await user.click((await screen.findAllByRole("button", { name: "Export…" }))[0]!);
  const dialog = within(screen.getByRole("dialog"));
  await user.selectOptions(dialog.getByLabelText("Weights"), "Q8 0");
  await user.type(dialog.getByLabelText("Hub repository"), "me/pico-code");
  await user.click(dialog.getByRole("button", { name: "Export" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(asked[0]).toMatchObject({
    provider: "local",
    spec: {
      case: "export",
      value: {
        artifactId: "a1",
        format: ExportFormat.GGUF,
        ggufType: GgufType.Q8_0,
        huggingface: { outputRepoName: "me/pico-code" },
      },
    },
  });
  expect(asked[0]!.requestId).not.toBe("");
});

test("a merged model has no type of GGUF weights, and stays here if no repository is named", async () => {
  const asked: CreateJobRequest[] = [];
  const { user } = page(jobAt(JobState.SUCCEEDED, 1, TRAINING), {
    listArtifacts: () => ({ artifacts: [artifact("a1", "adapter/adapter_config.json", ArtifactKind.ADAPTER)] }),
    createJob: (request) => {
      asked.push(request);
      return { job: jobAt(JobState.QUEUED, 1) };
    },
  });
  await user.click((await screen.findAllByRole("button", { name: "Export…" }))[0]!);
  const dialog = within(screen.getByRole("dialog"));
  await user.selectOptions(dialog.getByLabelText("Format"), "Merged");
  expect(dialog.queryByLabelText("Weights")).toBeNull();
  await user.click(dialog.getByRole("button", { name: "Export" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  const spec = asked[0]!.spec;
  expect(spec.case === "export" && [spec.value.format, spec.value.ggufType, spec.value.huggingface]).toEqual([
    ExportFormat.MERGED,
    undefined,
    undefined,
  ]);
});

test("an export shows what it made, and nothing that only training has", async () => {
  page(
    jobAt(JobState.SUCCEEDED, 1, {
      spec: { case: "export", value: EXPORT },
      resolvedSpec: { case: "resolvedExport", value: EXPORT },
    }),
    { listArtifacts: () => ({ artifacts: [artifact("g1", "gguf/pico-q8_0.gguf", ArtifactKind.GGUF)] }) },
  );
  await screen.findByRole("heading", { name: "It is done" });
  expect(screen.getAllByRole("link", { name: "Download GGUF" })).toHaveLength(2);
  expect(screen.getByText("llama-cli -m out/gguf/pico-q8_0.gguf")).toBeTruthy();
  for (const name of ["Curves", "Weights"]) {
    expect(screen.queryByRole("link", { name })).toBeNull();
  }
  for (const name of ["Script", "Export…"]) {
    expect(screen.queryByRole("button", { name })).toBeNull();
  }
  expect(document.getElementById("curves")).toBeNull();
  expect(screen.queryByRole("link", { name: "Run again" })).toBeNull();
  const rows = [...document.querySelectorAll("#configuration tbody tr th")].map((row) => row.textContent);
  expect(rows).toEqual(["artifact_id", "format", "gguf_type"]);
});

test("a job as a script says what it does otherwise", async () => {
  const asked: ScriptFormat[] = [];
  const { user } = page(jobAt(JobState.RUNNING, 1, TRAINING), {
    getJobScript: ({ format }) => {
      asked.push(format);
      return format === ScriptFormat.AXOLOTL
        ? { fileName: "axolotl.yaml", content: "adapter: lora\n", differences: ["Axolotl shuffles rows otherwise."] }
        : { fileName: "train.py", content: "import trl\n" };
    },
  });
  await user.click(await screen.findByRole("button", { name: "Script" }));
  const dialog = within(screen.getByRole("dialog"));
  expect((await dialog.findByLabelText("train.py")).textContent).toBe("import trl\n");
  expect(dialog.queryByText("What it does otherwise")).toBeNull();
  await user.selectOptions(dialog.getByLabelText("Written for"), "Axolotl");
  await dialog.findByRole("button", { name: "Download axolotl.yaml" });
  expect(dialog.getByText("Axolotl shuffles rows otherwise.")).toBeTruthy();
  expect(asked).toEqual([ScriptFormat.PYTHON, ScriptFormat.AXOLOTL]);
});

test("a job that ran out of memory offers what would fit", async () => {
  const errorFix = create(FixSchema, { label: "Set the batch size to 2" });
  page(jobAt(JobState.FAILED, 1, { ...TRAINING, errorFix }));
  const link = await screen.findByRole("link", { name: "Set the batch size to 2 and run again" });
  expect(link.getAttribute("href")).toBe("/jobs/new?from=job-1&fixed=1");
});

test("histograms are asked for when they are opened, and shown layer by layer", async () => {
  let asked = 0;
  const { user } = page(jobAt(JobState.SUCCEEDED, 1, TRAINING), {
    listJobHistograms: () => {
      asked += 1;
      return {
        histograms: [0n, 20n].flatMap((step) =>
          ["layers.10.q_proj", "layers.2.q_proj"].map((layer) => ({
            layer,
            step,
            minimum: -1,
            maximum: 1,
            counts: [1n, 6n, 1n],
            norm: 2,
            mean: 0,
            standardDeviation: 0.5,
          })),
        ),
      };
    },
  });
  await user.click(await screen.findByRole("heading", { name: "Weights" }));
  const layers = await screen.findByLabelText("Layer");
  expect(asked).toBe(1);
  expect(within(layers).getAllByRole("option").map((option) => option.textContent)).toEqual(["layers.2.q_proj", "layers.10.q_proj"]);
  expect(screen.getByRole("img", { name: "Weights between -1 and 1 at steps 0, 20" }).querySelectorAll("path")).toHaveLength(2);
});

test("a job that took no histograms says so", async () => {
  const { user } = page(jobAt(JobState.SUCCEEDED, 1, TRAINING), { listJobHistograms: () => ({ histograms: [] }) });
  await user.click(await screen.findByRole("heading", { name: "Weights" }));
  await screen.findByText("It took no histograms.");
});
