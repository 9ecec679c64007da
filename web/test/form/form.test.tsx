import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, describe, expect, test } from "vitest";
import { COMPLETE, show } from "../configure/stack.js";

afterEach(cleanup);

const rank = () => screen.getByRole("textbox", { name: "Rank" }) as HTMLInputElement;
const rankSlider = () => screen.getByRole("slider", { name: "Rank" }) as HTMLInputElement;

describe("a form by hand and by keyboard", () => {
  test("a slider goes by stops, and its box follows", async () => {
    const { user } = show({ initial: COMPLETE });
    await screen.findByRole("slider", { name: "Rank" });
    expect(rank().value).toBe("");
    expect(rankSlider().getAttribute("aria-valuetext")).toBe("8, the default");
    rankSlider().focus();
    await user.keyboard("{ArrowRight}{ArrowRight}");
    expect(rank().value).toBe("16");
    await user.keyboard("{End}");
    expect(rank().value).toBe("256");
    expect(rankSlider().value).toBe(rankSlider().max);
    fireEvent.change(rankSlider(), { target: { value: "0" } });
    expect(rank().value).toBe("1");
    await user.click(screen.getByRole("button", { name: "Rank: reset to 8" }));
    expect(rank().value).toBe("");
    expect(rankSlider().getAttribute("aria-valuetext")).toBe("8, the default");
  });

  test("a text that is no number is kept and refused; the rest of the form goes on", async () => {
    const { user } = show({ initial: COMPLETE });
    await screen.findByRole("slider", { name: "Rank" });
    await user.type(rank(), "many");
    expect(rank().value).toBe("many");
    expect(rank().getAttribute("aria-invalid")).toBe("true");
    const said = document.getElementById(rank().getAttribute("aria-describedby")!.split(" ")[1]!)!;
    expect(said.textContent).toContain("is not a number");
    await user.clear(rank());
    await user.type(rank(), "1e1");
    expect(rank().value).toBe("1e1");
    expect(rank().getAttribute("aria-invalid")).toBe("false");
    expect(rankSlider().getAttribute("aria-valuetext")).toBe("10");
  });

  test("sections follow the method, and what was set comes back", async () => {
    const { user } = show({ initial: COMPLETE });
    await screen.findByRole("slider", { name: "Rank" });
    await user.type(rank(), "32");
    const method = screen.getByRole("combobox", { name: /^Method/ });
    await user.selectOptions(method, "Full");
    expect(screen.queryByRole("slider", { name: "Rank" })).toBeNull();
    expect(screen.getByText(/^LoRA was taken out/)).toBeTruthy();
    await user.selectOptions(method, "Prompt tuning");
    expect(screen.getByRole("slider", { name: "Virtual tokens" })).toBeTruthy();
    await user.selectOptions(method, "LoRA");
    expect(rank().value).toBe("32");
    expect(screen.queryByText(/^LoRA was taken out/)).toBeNull();
  });

  test("a group by choice has a switch", async () => {
    const { user } = show({ initial: COMPLETE });
    const wandb = (await screen.findAllByRole("checkbox", { name: "Weights & Biases", hidden: true }))[0]!;
    expect(screen.queryByRole("textbox", { name: /^Project/, hidden: true })).toBeNull();
    await user.click(wandb);
    expect(screen.getByRole("textbox", { name: /^Project/, hidden: true })).toBeTruthy();
    await user.click(wandb);
    expect(screen.queryByRole("textbox", { name: /^Project/, hidden: true })).toBeNull();
  });

  test("switches keep the form's order and say what the provider leaves out", async () => {
    const { user } = show({ initial: COMPLETE, submit: false });
    await user.click((await screen.findAllByRole("checkbox", { name: "Dynamic padding", hidden: true }))[0]!);
    await user.click(screen.getByRole("checkbox", { name: "Flash attention", hidden: true }));
    const text = screen.getByLabelText("The configuration as JSON") as HTMLTextAreaElement;
    expect(JSON.parse(text.value).optimizations.enabled).toEqual([
      "OPTIMIZATION_FEATURE_FLASH_ATTENTION",
      "OPTIMIZATION_FEATURE_DYNAMIC_PADDING",
    ]);
    const field = screen.getByRole("group", { name: /^Optimizations/, hidden: true });
    expect(within(field).getByText(/FLASH_ATTENTION: it picks its own kernel/)).toBeTruthy();
  });

  test("a section that needs nothing is folded and says what it holds", async () => {
    const { user } = show({ initial: COMPLETE });
    const head = (await screen.findByRole("heading", { name: "Schedule" })).closest("summary")!;
    expect(head.textContent).toContain("Defaults: Epochs 3 · Batch size 4");
    expect(head.closest("details")!.open).toBe(false);
    await user.click(within(screen.getByRole("navigation", { name: /Sections/ })).getByRole("button", { name: /Schedule/ }));
    await waitFor(() => expect(head.closest("details")!.open).toBe(true));
  });

  test("every control has a name and a description, and no id is there twice", async () => {
    const { container } = show({ initial: { ...COMPLETE, integrations: { wandb: {}, huggingface: {} } } });
    await screen.findByRole("slider", { name: "Rank" });
    const ids = [...container.querySelectorAll("[id]")].map((element) => element.id);
    expect(new Set(ids).size).toBe(ids.length);
    const controls = [...container.querySelectorAll<HTMLInputElement>("input, select, textarea")];
    // 69 knobs less 12 hidden ones and 9 of groups that are not there, 16 shown sliders beside their boxes, 9 switches in place of one
    // box, 5 groups by choice, and what is not a knob: provider, name, strict, JSON, and three filters of base models.
    expect(controls).toHaveLength(48 + 16 + 8 + 5 + 4 + 3);
    for (const control of controls) {
      const named =
        (control.labels?.length ?? 0) > 0 || control.hasAttribute("aria-labelledby") || control.hasAttribute("aria-label");
      expect(named, control.outerHTML).toBe(true);
    }
    for (const element of container.querySelectorAll("[aria-describedby]")) {
      for (const id of element.getAttribute("aria-describedby")!.split(" ")) {
        expect(ids, element.outerHTML).toContain(id);
      }
    }
  });

  test("a dataset is searched by keys, and an id that is not listed is taken", async () => {
    const { user } = show();
    const box = (await screen.findByRole("combobox", { name: /Training dataset/ })) as HTMLInputElement;
    await waitFor(() => expect(screen.queryByText(/Loading/)).toBeNull());
    box.focus();
    await user.keyboard("{ArrowDown}");
    const options = await within(box.closest(".picker") as HTMLElement).findAllByRole("option");
    expect(options.map((option) => option.textContent)).toEqual([
      "alpaca52,002 rows · alpaca · 9.00 MB · version 1",
      "chats12 rows · messages · 900 B · version 2",
    ]);
    await user.keyboard("{ArrowDown}{Enter}");
    expect(box.value).toBe("chats");
    await user.clear(box);
    await user.type(box, "some-id");
    await user.tab();
    expect(box.value).toBe("some-id");
    expect(box.closest(".picker")!.textContent).toContain("Not in the list");
  });
});
