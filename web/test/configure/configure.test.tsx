import { Code, ConnectError } from "@connectrpc/connect";
import { cleanup, screen, waitFor, within } from "@testing-library/react";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { ConfigureChange } from "../../src/configure/Configure.js";
import { badRequest, COMPLETE, Gateway, show, warningsNotAccepted } from "./stack.js";

afterEach(cleanup);

const create = () => screen.getByRole("button", { name: /^Create/ });

describe("making a job", () => {
  test("something is there before the rules are", async () => {
    show();
    expect(screen.getByText("Loading the form…")).toBeTruthy();
    expect(await screen.findByRole("button", { name: "Create job" })).toBeTruthy();
  });

  test("from an empty form: model, dataset and method are chosen, and the job is made of no more", async () => {
    const made = vi.fn();
    const { gateway, user } = show({ onCreated: made });
    await user.click(await screen.findByRole("combobox", { name: /Base model/ }));
    await user.click(await screen.findByRole("option", { name: /tunesmith\/pico/ }));
    const dataset = screen.getByRole("combobox", { name: /Training dataset/ });
    await user.click(dataset);
    await user.keyboard("alp{Enter}");
    expect((dataset as HTMLInputElement).value).toBe("alpaca");
    await user.selectOptions(screen.getByRole("combobox", { name: /^Method/ }), "LoRA");
    await user.type(screen.getByLabelText("Display name"), "first");
    await user.click(create());
    await waitFor(() => expect(made).toHaveBeenCalledWith(expect.objectContaining({ id: "j1" })));
    expect(gateway.created).toHaveLength(1);
    const [{ provider, displayName, spec, strict, acceptWarnings, requestId }] = gateway.created as [Gateway["created"][number]];
    expect({ provider, displayName, strict, acceptWarnings }).toEqual({
      provider: "limited",
      displayName: "first",
      strict: false,
      acceptWarnings: false,
    });
    expect(requestId).toMatch(/^[0-9a-f]{32}$/);
    expect(spec.value).toMatchObject({
      model: { baseModel: "tunesmith/pico" },
      datasets: { trainingFileId: "d1" },
      method: { type: 2, loraConfig: {} },
    });
    expect(spec.case === "configuration" && spec.value.schedule).toBeUndefined();
  });

  test("what is missing is named and the first of it gets the focus; nothing is sent", async () => {
    const { gateway, user } = show();
    await user.click(await screen.findByRole("button", { name: "Create job" }));
    expect(gateway.created).toHaveLength(0);
    await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("combobox", { name: /Base model/ })));
    expect(screen.getAllByText("value is required")).toHaveLength(3);
  });

  test("a value out of range is refused before sending, in the server's words", async () => {
    const { gateway, user } = show({ initial: COMPLETE });
    const rank = await screen.findByRole("textbox", { name: "Rank" });
    await user.type(rank, "9999");
    expect(
      within(rank.closest(".field") as HTMLElement).getByText("must be greater than or equal to 1 and less than or equal to 256"),
    ).toBeTruthy();
    expect(rank.getAttribute("aria-invalid")).toBe("true");
    await user.click(create());
    expect(gateway.created).toHaveLength(0);
  });

  test("what the server says stands at its field until the form is changed", async () => {
    const gateway = new Gateway();
    gateway.refusals.push(
      badRequest(
        ["configuration.model.base_model", "tunesmith/pico is no base model; import it"],
        ["display_name", "is taken; use another"],
      ),
    );
    const { user } = show({ initial: COMPLETE }, gateway);
    await user.click(await screen.findByRole("button", { name: "Create job" }));
    const model = screen.getByRole("combobox", { name: /Base model/ });
    await waitFor(() =>
      expect(within(model.closest(".field") as HTMLElement).getByText(/is no base model; import it/)).toBeTruthy(),
    );
    expect(screen.getByText(/is taken; use another/)).toBeTruthy();
    await user.type(model, "x");
    expect(screen.queryByText(/is no base model; import it/)).toBeNull();
  });

  test("warnings that the server finds only then are accepted in a dialog", async () => {
    const gateway = new Gateway();
    gateway.refusals.push(warningsNotAccepted("the training dataset has 3 rows; add rows"));
    const { user } = show({ initial: COMPLETE }, gateway);
    await user.click(await screen.findByRole("button", { name: "Create job" }));
    const dialog = await screen.findByRole("dialog", { name: "One warning" });
    expect(dialog.textContent).toContain("Training dataset: the training dataset has 3 rows; add rows");
    await user.click(within(dialog).getByRole("button", { name: "Create all the same" }));
    await waitFor(() => expect(gateway.created.map(({ acceptWarnings }) => acceptWarnings)).toEqual([false, true]));
    expect(await screen.findByRole("link", { name: "Open pico on alpaca" })).toBeTruthy();
  });

  test("the same attempt has the same name, another request another", async () => {
    const gateway = new Gateway();
    const lost = () => new ConnectError("the pool is upgraded; try again", Code.FailedPrecondition);
    gateway.refusals.push(lost(), lost());
    const { user } = show({ initial: COMPLETE }, gateway);
    await user.click(await screen.findByRole("button", { name: "Create job" }));
    await screen.findByText("the pool is upgraded; try again");
    await user.click(create());
    await waitFor(() => expect(gateway.created).toHaveLength(2));
    await screen.findByText("the pool is upgraded; try again");
    await user.type(screen.getByRole("textbox", { name: "Rank" }), "16");
    await user.click(create());
    await waitFor(() => expect(gateway.created).toHaveLength(3));
    await screen.findByRole("button", { name: "Create another job" });
    await user.click(create());
    await waitFor(() => expect(gateway.created).toHaveLength(4));
    const names = gateway.created.map(({ requestId }) => requestId);
    expect(names[0]).toBe(names[1]);
    expect(new Set(names).size).toBe(3);
  });

  test("strict is sent, and makes errors of what would be left out", async () => {
    const { gateway, user } = show({ initial: { ...COMPLETE, hardware: { num_gpus: 2 } } });
    await user.click(await screen.findByRole("checkbox", { name: "Strict" }));
    await user.click(create());
    expect(gateway.created).toHaveLength(0);
    await user.click(screen.getByRole("checkbox", { name: "Strict" }));
    await user.click(create());
    await waitFor(() => expect(gateway.created).toHaveLength(1));
  });
});

describe("what it tells and takes", () => {
  test("each change with its findings", async () => {
    const changes: ConfigureChange[] = [];
    const { user } = show({ submit: false, dataset: "d2", baseModel: "m", onChange: (change) => changes.push(change) });
    expect(await screen.findByText(/Still needed/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: /^Create/ })).toBeNull();
    expect(changes.at(-1)).toMatchObject({
      valid: false,
      configuration: { model: { base_model: "m" }, datasets: { training_file_id: "d2" } },
    });
    await user.selectOptions(screen.getByRole("combobox", { name: /^Method/ }), "Full");
    await waitFor(() => expect(changes.at(-1)).toMatchObject({ valid: true, findings: [] }));
    expect(changes.at(-1)?.configuration).toEqual({
      model: { base_model: "m" },
      datasets: { training_file_id: "d2" },
      method: { type: "TRAINING_METHOD_FULL" },
    });
  });

  test("a page that hands in another configuration sees it", async () => {
    const { rerender } = show({ initial: COMPLETE });
    await screen.findByRole("textbox", { name: "Rank" });
    rerender({ initial: { ...COMPLETE, method: { type: "TRAINING_METHOD_LORA", lora_config: { rank: 64 } } } });
    await waitFor(() => expect((screen.getByRole("textbox", { name: "Rank" }) as HTMLInputElement).value).toBe("64"));
  });

  test("what can't be read is said by name", async () => {
    show({ initial: { modle: {} } });
    expect(await screen.findByText("modle is unknown; did you mean model?")).toBeTruthy();
  });

  test("what becomes of each field is asked once the form is complete, and what is dropped stands at its field", async () => {
    const { gateway, user } = show({ initial: { ...COMPLETE, schedule: { epochs: 2, max_steps: 5 } } });
    await waitFor(() => expect(gateway.checked.length).toBeGreaterThan(0));
    const epochs = document.querySelector("input[id$=schedule-epochs]")!.closest(".field") as HTMLElement;
    await waitFor(() => expect(within(epochs).getByText("max_steps decides")).toBeTruthy());
    expect(screen.getByText("1 sent, 1 dropped")).toBeTruthy();
    await user.clear(screen.getByRole("combobox", { name: /Base model/ }));
    await waitFor(() => expect(screen.getByText("Known once the form is complete")).toBeTruthy());
  });

  test("JSON is taken in place of the form, and refused by name", async () => {
    const { user } = show({ initial: COMPLETE });
    const text = (await screen.findByLabelText("The configuration as JSON")) as HTMLTextAreaElement;
    expect(JSON.parse(text.value)).toEqual(COMPLETE);
    await user.clear(text);
    await user.click(text);
    await user.paste('{"schedule": {"epoch": 2}}');
    await user.click(screen.getByRole("button", { name: "Use this configuration" }));
    expect(screen.getByText("schedule.epoch is unknown; did you mean schedule.epochs?")).toBeTruthy();
    await user.clear(text);
    await user.click(text);
    await user.paste('{"method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 4}}}');
    await user.click(screen.getByRole("button", { name: "Use this configuration" }));
    expect((screen.getByRole("textbox", { name: "Rank" }) as HTMLInputElement).value).toBe("4");
  });

  test("another provider has other limits", async () => {
    const { user } = show({ initial: COMPLETE });
    await waitFor(() => expect(screen.getAllByText("Not used by Limited").length).toBe(1));
    expect((screen.getByRole("option", { name: "QLoRA (not with Limited)" }) as HTMLOptionElement).disabled).toBe(true);
    await user.selectOptions(screen.getByRole("combobox", { name: "Provider" }), "other");
    expect(screen.queryByText(/Not used by/)).toBeNull();
    expect((screen.getByRole("option", { name: "QLoRA" }) as HTMLOptionElement).disabled).toBe(false);
  });

  test("where there is nothing to choose, the next step is named", async () => {
    const gateway = new Gateway();
    gateway.empty = true;
    show({}, gateway);
    expect(await screen.findByText(/tunesmith models import/)).toBeTruthy();
    expect((screen.getAllByRole("link", { name: "Upload one" })[0] as HTMLAnchorElement).href).toBe(
      "http://gateway.test/datasets",
    );
  });
});
