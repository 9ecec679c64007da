import { create, equals } from "@bufbuild/protobuf";
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
  RegistryService,
  Stage,
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
    architecture: { layerCount: 4, hiddenSize: 192 },
    lineage: { jobId: "job-7", artifactId: "a-7" },
    files: [{ path: "config.json", sizeBytes: 382n, sha256: "ab" }],
  }),
  create(BaseModelSchema, { id: "m2", displayName: "far", hubRepo: "org/far", trainable: false, cacheStatus: CacheStatus.NOT_CACHED }),
];

function shown(address: string, refusal?: ConnectError) {
  const sent: CreateBaseModelRequest[] = [];
  const models = [...MODELS];
  const refusing = { now: refusal };
  opened(address, <ModelsPage />, ({ service }) =>
    service(RegistryService, {
      // Two pages, so that the second is read as well.
      listBaseModels: ({ pageToken }) => (pageToken ? { baseModels: models.slice(1) } : { baseModels: models.slice(0, 1), nextPageToken: "2" }),
      getBaseModel: ({ id }) => ({ baseModel: models.find((model) => model.id === id) }),
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
  return { sent, refusing, person: userEvent.setup() };
}

test("all pages are listed, and the search narrows them", async () => {
  const { person } = shown("/models");
  expect(await screen.findByText("org/far")).toBeTruthy();
  const first = screen.getAllByRole("row")[1]!;
  expect(first.textContent).toMatch(/pico.*2\.16M.*F32.*llama.*Random.*8\.79 MB.*Stored/);
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
