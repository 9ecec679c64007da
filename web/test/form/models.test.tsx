// The base model on the form: what narrows the list, what is said of the one that was picked, and what it asks for.
import { cleanup, screen, waitFor, within } from "@testing-library/react";
import { CacheStatus, ModuleKind, Severity, Stage } from "@tunesmith/sdk";
import { afterEach, expect, test } from "vitest";
import { COMPLETE, Gateway, show } from "../configure/stack.js";

afterEach(cleanup);

function gatewayWithModels() {
  const gateway = new Gateway();
  gateway.baseModels = [
    {
      id: "m1",
      hubRepo: "tunesmith/pico",
      displayName: "pico",
      family: "llama",
      stage: Stage.RANDOM,
      trainable: true,
      hasChatTemplate: false,
      cacheStatus: CacheStatus.CACHED,
      sizeBytes: 8_790_000n,
      profile: {
        modules: [
          { path: "model.layers.*.self_attn.q_proj", kind: ModuleKind.LINEAR, adaptedByAllLinear: true, adaptable: true },
          { path: "model.layers.*.mlp.down_proj", kind: ModuleKind.LINEAR, adaptedByAllLinear: true, adaptable: true },
          { path: "model.embed_tokens", kind: ModuleKind.EMBEDDING },
        ],
      },
    },
    {
      id: "m2",
      hubRepo: "org/secret",
      displayName: "secret",
      family: "qwen3",
      stage: Stage.INSTRUCT,
      trainable: true,
      private: true,
      cacheStatus: CacheStatus.NOT_CACHED,
      downloadBytes: 5_000_000_000n,
      estimatedDownloadSeconds: 200,
    },
    { id: "m3", hubRepo: "org/file", displayName: "file", family: "llama", gguf: true, servable: true },
  ];
  return gateway;
}

const optionsOf = () => screen.queryAllByRole("option").filter((one) => one.tagName === "LI").map((one) => one.querySelector("span")!.textContent);

test("filters narrow what is offered; what no job may tune is offered only to those who ask", async () => {
  const { user } = show({}, gatewayWithModels());
  const box = await screen.findByRole("combobox", { name: /Base model/ });
  await user.click(box);
  await waitFor(() => expect(optionsOf()).toEqual(["tunesmith/pico", "org/secret"]));
  await user.selectOptions(screen.getByLabelText("Only models of this family"), "llama");
  await user.click(screen.getByLabelText("Trainable only"));
  await user.click(box);
  expect(optionsOf()).toEqual(["tunesmith/pico", "org/file"]);
  await user.selectOptions(screen.getByLabelText("Only models at this stage"), "Random");
  await user.click(box);
  expect(optionsOf()).toEqual(["tunesmith/pico"]);
});

test("the model that was picked says what it can do and what adapters can sit on", async () => {
  show({ initial: COMPLETE }, gatewayWithModels());
  const marks = await screen.findByRole("list", { name: "About this model" });
  expect([...marks.children].map((one) => one.textContent)).toEqual(["Stored, 8.79 MB", "Trainable", "Random", "No chat template"]);
  expect(screen.getByText(/Layers for adapters/).textContent).toBe("Layers for adapters: q_projdown_proj");
  expect(screen.queryByLabelText("Credential of this private model")).toBeNull();
});

test("a private model asks for its credential where it is picked, and is checked again with it", async () => {
  const gateway = gatewayWithModels();
  const refused = { code: "PRIVATE", severity: Severity.ERROR, fieldPath: "model.base_model", message: "it is private" };
  gateway.report = () => ({ findings: gateway.updated.length > 0 ? [] : [refused] });
  const { user } = show({ initial: { ...COMPLETE, model: { base_model: "org/secret" } } }, gateway);
  const box = await screen.findByLabelText("Credential of this private model");
  expect(screen.getByText("On the hub, 5.00 GB, about 3 min 20 s")).toBeTruthy();
  const side = within(await screen.findByRole("region", { name: "Preflight" }));
  await side.findByText(/it is private/);
  await user.type(box, "HF_TOKEN{Enter}");
  await waitFor(() => expect(gateway.updated).toMatchObject([{ id: "m2", credentialId: "HF_TOKEN" }]));
  await waitFor(() => expect(screen.queryByLabelText("Credential of this private model")).toBeNull());
  expect(screen.getByText("Private, HF_TOKEN")).toBeTruthy();
  await waitFor(() => expect(side.queryByText(/it is private/)).toBeNull());
});
