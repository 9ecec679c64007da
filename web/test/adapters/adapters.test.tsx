import { create } from "@bufbuild/protobuf";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import {
  type Adapter,
  AdapterSchema,
  AdapterService,
  AdapterStatus,
  AdapterType,
  type ComposeAdaptersRequest,
  type ListAdaptersRequest,
  RegistryService,
  type UpdateAdapterRequest,
} from "@tunesmith/sdk";
import { expect, test, vi } from "vitest";
import AdaptersPage from "../../src/adapters/AdaptersPage.js";
import { opened } from "../console/opened.js";

const BYTES = new TextEncoder().encode('{"r": 8}');

function adapter(id: string, more: Partial<Adapter> = {}): Adapter {
  const made = create(AdapterSchema, {
    id,
    displayName: `adapter ${id}`,
    baseModelId: "m1",
    type: AdapterType.LORA,
    rank: 8,
    alpha: 16,
    targetModules: ["q_proj"],
    status: AdapterStatus.READY,
    parameterCount: 12_000n,
    sizeBytes: 8n,
    files: [{ path: "adapter_config.json", sizeBytes: 8n, sha256: "ab" }],
    metrics: { evaluation_loss: 1.25 },
    lineage: { jobId: "j1" },
  });
  return Object.assign(made, more);
}

function shown(address = "/adapters", adapters = [adapter("a"), adapter("b"), adapter("c", { baseModelId: "m2" }), adapter("d", { status: AdapterStatus.FAILED, error: "it has other layers" })]) {
  const composed: ComposeAdaptersRequest[] = [];
  const listed: ListAdaptersRequest[] = [];
  const updated: UpdateAdapterRequest[] = [];
  opened(address, <AdaptersPage />, ({ service }) => {
    service(RegistryService, {
      listBaseModels: () => ({ baseModels: [{ id: "m1", displayName: "pico" }, { id: "m2", displayName: "nano" }] }),
    });
    service(AdapterService, {
      listAdapters: (request) => {
        listed.push(request);
        const { baseModel, type, status } = request;
        const kept = (one: Adapter) => (!baseModel || one.baseModelId === baseModel) && (!type || one.type === type) && (!status || one.status === status);
        return { adapters: adapters.filter(kept) };
      },
      getAdapter: ({ id }) => ({ adapter: adapters.find((one) => one.id === id) }),
      composeAdapters: (request) => {
        composed.push(request);
        adapters.push(adapter("sum", { displayName: "the sum" }));
        return { adapter: adapters.at(-1) };
      },
      updateAdapter: (request) => {
        updated.push(request);
        const found = adapters.find((one) => one.id === request.id)!;
        found.displayName = request.displayName ?? found.displayName;
        return { adapter: found };
      },
      deleteAdapter: ({ id }) => {
        adapters.splice(adapters.findIndex((one) => one.id === id), 1);
        return {};
      },
      readAdapterFile: async function* () {
        yield { chunk: BYTES.slice(0, 5) };
        yield { chunk: BYTES.slice(5) };
      },
    });
  });
  return { adapters, composed, listed, updated, person: userEvent.setup() };
}

test("adapters are listed with their model, and the server's filters narrow them", async () => {
  const { listed, person } = shown();
  const row = (await screen.findByRole("link", { name: "adapter a" })).closest("tr")!;
  await waitFor(() => expect(row.textContent).toMatch(/adapter a.*pico.*LoRA.*8.*12K.*8 B.*Ready/));
  expect(screen.getByText("it has other layers")).toBeTruthy();
  await person.selectOptions(screen.getByLabelText("Base model"), "nano");
  await waitFor(() => expect(screen.queryByRole("link", { name: "adapter a" })).toBeNull());
  expect(await screen.findByRole("link", { name: "adapter c" })).toBeTruthy();
  await person.selectOptions(screen.getByLabelText("Status"), "Failed");
  await screen.findByText("No adapter is like that.");
  expect(listed.at(-1)).toMatchObject({ baseModel: "m2", status: AdapterStatus.FAILED });
  await person.click(screen.getByRole("button", { name: "Show all adapters" }));
  expect(await screen.findByRole("link", { name: "adapter a" })).toBeTruthy();
});

test("adapters of one base model are composed with their weights, others can't be picked beside them", async () => {
  const { composed, person } = shown();
  await person.click(await screen.findByLabelText("Compose adapter a"));
  expect((screen.getByLabelText("Compose adapter c") as HTMLInputElement).disabled).toBe(true);
  expect(screen.getByLabelText("Compose adapter c").title).toBe("adapter a is of another base model");
  expect((screen.getByLabelText("Compose adapter d") as HTMLInputElement).disabled).toBe(true);
  await person.click(screen.getByRole("button", { name: "Pick another to compose" }));
  expect(screen.queryByRole("dialog")).toBeNull();
  await person.click(screen.getByLabelText("Compose adapter b"));
  await person.click(screen.getByRole("button", { name: "Compose 2" }));
  const dialog = await screen.findByRole("dialog", { name: "Compose 2 adapters" });
  const weight = within(dialog).getByLabelText("Weight of adapter b");
  await person.clear(weight);
  await person.type(weight, "much");
  await person.click(within(dialog).getByRole("button", { name: "Compose" }));
  expect(within(dialog).getByText("“much” is not a number; write one such as 0.5")).toBeTruthy();
  expect(composed).toHaveLength(0);
  await person.clear(weight);
  await person.type(weight, "-0.5");
  await person.click(within(dialog).getByRole("button", { name: "Compose" }));
  await screen.findByRole("dialog", { name: "the sum" });
  expect(composed.map(({ components }) => components.map(({ adapterId, weight }) => [adapterId, weight]))).toEqual([[["a", 1], ["b", -0.5]]]);
});

test("the panel shows all that is known, and gives the files away as an archive", async () => {
  const made = vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:x");
  // The simulated browser would go there.
  const clicked = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(() => undefined);
  const { person } = shown("/adapters?id=a");
  const panel = await screen.findByRole("dialog", { name: "adapter a" });
  await waitFor(() => expect(panel.textContent).toContain("pico"));
  for (const words of ["8, 16, 0", "q_proj", "12,000", "Evaluation loss1.25", "Job j1", "adapter_config.json"]) {
    expect(panel.textContent).toContain(words);
  }
  await person.click(within(panel).getByRole("button", { name: "Download" }));
  await waitFor(() => expect(made).toHaveBeenCalledTimes(1));
  const tar = new Uint8Array(await (made.mock.calls[0]![0] as Blob).arrayBuffer());
  // A header, the file filled up to a block, and two empty blocks at the end.
  expect(tar.length).toBe(4 * 512);
  const text = (from: number, length: number) => new TextDecoder().decode(tar.slice(from, from + length)).replace(/\0.*$/s, "");
  expect([text(0, 100), text(124, 12), text(257, 5), text(512, 8)]).toEqual(["adapter/adapter_config.json", "00000000010", "ustar", '{"r": 8}']);
  const sum = tar.slice(0, 512).reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  expect(Number.parseInt(text(148, 6), 8)).toBe(sum);
  expect(clicked).toHaveBeenCalledTimes(1);
  made.mockRestore();
  clicked.mockRestore();
});

test("an adapter is changed, and deleted only after it was asked", async () => {
  const { adapters, updated, person } = shown("/adapters?id=b");
  await person.click(await screen.findByRole("button", { name: "Change" }));
  const dialog = await screen.findByRole("dialog", { name: "Change adapter b" });
  await person.clear(within(dialog).getByLabelText("Display name"));
  await person.type(within(dialog).getByLabelText("Display name"), "better");
  await person.click(within(dialog).getByRole("button", { name: "Save" }));
  await screen.findByRole("dialog", { name: "better" });
  expect(updated).toMatchObject([{ id: "b", displayName: "better" }]);
  await person.click(screen.getByRole("button", { name: "Delete" }));
  await person.click(await screen.findByRole("button", { name: "Delete the adapter" }));
  await waitFor(() => expect(adapters.map(({ id }) => id)).toEqual(["a", "c", "d"]));
  await waitFor(() => expect(screen.queryByRole("link", { name: "better" })).toBeNull());
});

test("an upload says what is missing before anything is sent", async () => {
  const { person } = shown("/adapters?upload", []);
  const dialog = await screen.findByRole("dialog", { name: "Upload an adapter" });
  await person.click(within(dialog).getByRole("button", { name: "Upload" }));
  expect(within(dialog).getByText("Choose a tar archive.")).toBeTruthy();
  expect(within(dialog).getByText("Choose the model it was trained on.")).toBeTruthy();
  expect(within(dialog).getByLabelText("Archive").getAttribute("aria-invalid")).toBe("true");
});
