import { clone, create, equals } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "@tunesmith/sdk/gen/google/rpc/error_details";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import {
  type BaseModel,
  BaseModelSchema,
  CacheStatus,
  type CreateBaseModelRequest,
  CreateBaseModelRequestSchema,
  DownloadSchema,
  RegistryService,
  DownloadState,
  Lifecycle,
  Modality,
  ModelProfileSchema,
  ModuleKind,
  ProfileStatus,
  Stage,
  type UpdateBaseModelRequest,
} from "@tunesmith/sdk";
import { expect, test } from "vitest";
import ModelsPage from "../../src/models/ModelsPage.js";
import { opened } from "../console/opened.js";

const MODELS: BaseModel[] = [
  create(BaseModelSchema, {
    id: "m1",
    displayName: "pico",
    hubRepo: "tunesmith/pico",
    family: "llama",
    parameterCount: 2_164_416n,
    dtype: "F32",
    trainable: true,
    stage: Stage.RANDOM,
    cacheStatus: CacheStatus.CACHED,
    sizeBytes: 8_790_000n,
    chatTemplate: "{% for message in messages %}<b>{{ message }}</b>{% endfor %}",
    linearModules: ["q_proj", "down_proj"],
    architecture: { layerCount: 4, hiddenSize: 192, maxPositionCount: 2048 },
    lifecycle: Lifecycle.STAGING,
    license: "apache-2.0",
    modality: Modality.TEXT,
    lineage: { jobId: "job-7", artifactId: "a-7" },
    files: [{ path: "config.json", sizeBytes: 382n, sha256: "ab" }],
  }),
  create(BaseModelSchema, { id: "m2", displayName: "far", hubRepo: "org/far", trainable: false, cacheStatus: CacheStatus.NOT_CACHED, downloadBytes: 3_000_000_000n, estimatedDownloadSeconds: 120 }),
];

function shown(address: string, refusal?: ConnectError) {
  const sent: CreateBaseModelRequest[] = [];
  const updated: UpdateBaseModelRequest[] = [];
  const models = MODELS.map((model) => clone(BaseModelSchema, model));
  const refusing = { now: refusal };
  opened(address, <ModelsPage />, ({ service }) =>
    service(RegistryService, {
      // Two pages, so that the second is read as well.
      listBaseModels: ({ pageToken }) => (pageToken ? { baseModels: models.slice(1) } : { baseModels: models.slice(0, 1), nextPageToken: "2" }),
      getBaseModel: ({ id }) => ({ baseModel: models.find((model) => model.id === id) }),
      updateBaseModel: (request) => {
        updated.push(request);
        const model = models.find(({ id }) => id === request.id)!;
        model.displayName = request.displayName ?? model.displayName;
        model.lifecycle = request.lifecycle ?? model.lifecycle;
        return { baseModel: model };
      },
      deleteBaseModel: ({ id }) => {
        models.splice(models.findIndex((model) => model.id === id), 1);
        return {};
      },
      downloadBaseModel: ({ id }) => {
        const model = models.find((one) => one.id === id)!;
        model.cacheStatus = CacheStatus.DOWNLOADING;
        model.download = create(DownloadSchema, { state: DownloadState.RUNNING, doneBytes: 750_000_000n, totalBytes: 3_000_000_000n, remainingSeconds: 90 });
        return { baseModel: model };
      },
      createBaseModel: (request) => {
        sent.push(request);
        if (refusing.now) {
          throw refusing.now;
        }
        const baseModel = create(BaseModelSchema, { id: "m3", displayName: "new", hubRepo: request.hub?.repo });
        models.push(baseModel);
        return { baseModel };
      },
    }),
  );
  return { sent, updated, models, refusing, person: userEvent.setup() };
}

test("all pages are listed, and the search narrows them", async () => {
  const { person } = shown("/models");
  expect(await screen.findByText("org/far")).toBeTruthy();
  const first = screen.getAllByRole("row")[1]!;
  expect(first.textContent).toMatch(/pico.*2\.16M.*F32.*2,048.*llama.*Random.*Staging.*apache-2\.0.*Stored.*8\.79 MB/);
  expect(screen.getByRole("link", { name: "Tune pico" }).getAttribute("href")).toBe("/jobs/new?base_model=m1");
  expect(screen.getByText("not trainable")).toBeTruthy();
  await person.type(screen.getByRole("searchbox"), "LLAMA");
  await waitFor(() => expect(screen.queryByText("org/far")).toBeNull());
  expect(screen.getByText("tunesmith/pico")).toBeTruthy();
});

test("an address opens a model, with all that is known of it", async () => {
  shown("/models?id=m1");
  const panel = await screen.findByRole("dialog", { name: "pico" });
  await within(panel).findByText("2,164,416");
  for (const text of ["192", "q_proj", "down_proj", "config.json"]) {
    expect(within(panel).getByText(text)).toBeTruthy();
  }
  expect(within(panel).getByLabelText("Chat template").textContent).toBe(MODELS[0]!.chatTemplate);
  expect(within(panel).getByRole("link", { name: "Job job-7" }).getAttribute("href")).toBe("/jobs/job-7");
  expect(within(panel).getByRole("link", { name: "Tune this model" }).getAttribute("href")).toBe("/jobs/new?base_model=m1");
});

test("a hub name is checked before it is sent, and what was added is shown", async () => {
  const { sent, person } = shown("/models?add");
  const dialog = await screen.findByRole("dialog", { name: "Add a model" });
  await person.type(within(dialog).getByLabelText("Hub name"), "no-slash");
  await person.click(within(dialog).getByRole("button", { name: "Add" }));
  const field = within(dialog).getByLabelText("Hub name");
  await waitFor(() => expect(field.getAttribute("aria-invalid")).toBe("true"), { timeout: 10_000 });
  expect(sent.length).toBe(0);
  const described = field.getAttribute("aria-describedby")!.split(" ").map((id) => document.getElementById(id)?.textContent);
  expect(described.at(-1)).toMatch(/pattern/);
  await waitFor(() => expect(document.activeElement).toBe(field));
  await person.clear(field);
  await person.type(field, "org/new{Enter}");
  await screen.findByRole("dialog", { name: "new" });
  expect(window.location.search).toBe("?id=m3");
  expect(sent.map(({ hub, requestId }) => [hub?.repo, requestId.length > 0])).toEqual([["org/new", true]]);
}, 20_000);

test("what the server says stands at its field, and the same again is the same write", async () => {
  const violation = { field: "local_folder", description: "/etc is below no import root; use one of /srv" };
  const refusal = new ConnectError("invalid", Code.InvalidArgument, undefined, [
    { desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations: [violation] }) },
  ]);
  const { sent, refusing, person } = shown("/models?add", refusal);
  const dialog = await screen.findByRole("dialog", { name: "Add a model" });
  await person.click(within(dialog).getByLabelText("Folder on the server"));
  await person.type(within(dialog).getByLabelText("Folder"), "/etc");
  await person.click(within(dialog).getByRole("button", { name: "Add" }));
  expect(await within(dialog).findByText(violation.description, undefined, { timeout: 10_000 })).toBeTruthy();
  expect(within(dialog).getByLabelText("Folder").getAttribute("aria-invalid")).toBe("true");
  refusing.now = undefined;
  await person.click(within(dialog).getByRole("button", { name: "Add" }));
  await screen.findByRole("dialog", { name: "new" });
  expect(sent.length).toBe(2);
  expect(equals(CreateBaseModelRequestSchema, sent[0]!, sent[1]!)).toBe(true);
}, 20_000);

test("what a job made is filled in by the address", async () => {
  const { sent, person } = shown("/models?artifact=a-1");
  const dialog = await screen.findByRole("dialog", { name: "Add what a job made" });
  expect(within(dialog).getByLabelText<HTMLInputElement>("Artifact").value).toBe("a-1");
  await person.click(within(dialog).getByRole("button", { name: "Add" }));
  await waitFor(() => expect(sent.map(({ artifactId, hub }) => [artifactId, hub])).toEqual([["a-1", undefined]]), { timeout: 10_000 });
}, 20_000);

test("filters narrow the list", async () => {
  const { person } = shown("/models");
  await screen.findByText("org/far");
  await person.selectOptions(screen.getByLabelText("Trainable"), "No");
  await waitFor(() => expect(screen.queryByText("tunesmith/pico")).toBeNull());
  await person.selectOptions(screen.getByLabelText("Family"), "llama");
  await screen.findByText("No model is like that.");
  await person.click(screen.getByRole("button", { name: "Show all models" }));
  expect(await screen.findByText("tunesmith/pico")).toBeTruthy();
  for (const [label, word] of [["Stage", "Random"], ["Lifecycle", "Staging"], ["Reads", "Text"]] as const) {
    await person.selectOptions(screen.getByLabelText(label), word);
    await waitFor(() => expect(screen.queryByText("org/far")).toBeNull());
    expect(screen.getByText("tunesmith/pico")).toBeTruthy();
    await person.selectOptions(screen.getByLabelText(label), "All");
    await screen.findByText("org/far");
  }
});

test("a model on the hub says what a download takes, and how far it is until it is here", async () => {
  const { person, models } = shown("/models");
  expect(await screen.findByText("3.00 GB, about 2 min 0 s")).toBeTruthy();
  await person.click(screen.getByRole("button", { name: "Download far" }));
  // In the column of wide windows, and below the name in narrow ones.
  expect(await screen.findAllByText("750 MB of 3.00 GB, 1 min 30 s left")).toHaveLength(2);
  expect(screen.getAllByRole<HTMLProgressElement>("progressbar", { name: "Download of far" })[0]!.value).toBe(0.25);
  Object.assign(models[1]!, { cacheStatus: CacheStatus.CACHED, sizeBytes: 3_000_000_000n, download: undefined });
  await waitFor(() => expect(screen.queryByRole("progressbar")).toBeNull(), { timeout: 5_000 });
  expect(screen.getAllByText("Stored")).toHaveLength(2);
}, 20_000);

test("a download that failed says why and can be asked for again", async () => {
  const { person, models } = shown("/models?id=m2");
  const panel = await screen.findByRole("dialog", { name: "far" });
  models[1]!.download = create(DownloadSchema, { state: DownloadState.FAILED, error: "the hub does not answer; try again" });
  await person.click(await within(panel).findByRole("button", { name: "Download far" }));
  Object.assign(models[1]!, { cacheStatus: CacheStatus.NOT_CACHED, download: create(DownloadSchema, { state: DownloadState.FAILED, error: "the hub does not answer; try again" }) });
  expect(await within(panel).findByText("the hub does not answer; try again", undefined, { timeout: 5_000 })).toBeTruthy();
  expect(within(panel).getByRole("button", { name: "Download again far" })).toBeTruthy();
}, 20_000);

test("the panel shows the modules of the profile, or why there is none", async () => {
  const { models, person } = shown("/models");
  Object.assign(models[0]!, {
    profileStatus: ProfileStatus.READY,
    profile: create(ModelProfileSchema, {
      modelClass: "LlamaForCausalLM",
      transformersVersion: "5.23.0",
      parameterCount: 2_164_416n,
      modules: [
        { path: "model.layers.*.self_attn.q_proj", kind: ModuleKind.LINEAR, inputSize: 192n, outputSize: 192n, count: 4, adaptedByAllLinear: true, adaptable: true },
      ],
    }),
  });
  Object.assign(models[1]!, { profileStatus: ProfileStatus.FAILED, profileError: "its architecture is unknown" });
  await person.click(await screen.findByRole("link", { name: "pico" }));
  const panel = await screen.findByRole("dialog", { name: "pico" });
  const row = (await within(panel).findByText("model.layers.*.self_attn.q_proj")).closest("tr")!;
  expect([...row.children].map((cell) => cell.textContent)).toEqual(["model.layers.*.self_attn.q_proj", "Linear", "192 × 192", "4", "all-linear"]);
  await person.click(within(panel).getByRole("button", { name: "Close" }));
  await person.click(await screen.findByRole("link", { name: "far" }));
  expect(await within(await screen.findByRole("dialog", { name: "far" })).findByText("its architecture is unknown")).toBeTruthy();
});

test("what people say of a model is changed, and only that is sent", async () => {
  const { person, updated } = shown("/models?id=m1");
  await person.click(await screen.findByRole("button", { name: "Change" }));
  const dialog = await screen.findByRole("dialog", { name: "Change pico" });
  await person.selectOptions(within(dialog).getByLabelText("Lifecycle"), "Production");
  await person.clear(within(dialog).getByLabelText("Display name"));
  await person.type(within(dialog).getByLabelText("Display name"), "pico one");
  await person.click(within(dialog).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(screen.queryByRole("dialog", { name: /^Change/ })).toBeNull());
  expect(updated).toMatchObject([{ id: "m1", displayName: "pico one", lifecycle: Lifecycle.PRODUCTION }]);
  expect([updated[0]!.stage, updated[0]!.license, updated[0]!.credentialId]).toEqual([undefined, undefined, undefined]);
  expect(await screen.findByRole("dialog", { name: "pico one" })).toBeTruthy();
});

test("a model is deleted, and only after it was asked", async () => {
  const { person, models } = shown("/models?id=m2");
  await person.click(await screen.findByRole("button", { name: "Delete" }));
  const question = await screen.findByRole("dialog", { name: "Delete “far”?" });
  await person.click(within(question).getByRole("button", { name: "Keep it" }));
  await waitFor(() => expect(screen.queryByRole("dialog", { name: /^Delete/ })).toBeNull());
  expect(models).toHaveLength(2);
  await person.click(screen.getByRole("button", { name: "Delete" }));
  await person.click(await screen.findByRole("button", { name: "Delete the model" }));
  await waitFor(() => expect(screen.queryByText("org/far")).toBeNull());
  expect(models.map(({ id }) => id)).toEqual(["m1"]);
});
