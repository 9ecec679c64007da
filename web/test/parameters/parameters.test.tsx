import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, test } from "vitest";
import ParametersPage from "../../src/parameters/ParametersPage.js";
import { fieldsOf } from "../../src/form/describe.js";
import { PARTS } from "../form/knobs.js";

afterEach(() => {
  cleanup();
  location.hash = "";
});

describe("the reference of parameters", () => {
  test("has every knob under its anchor, in ten sections", () => {
    render(<ParametersPage />);
    expect(screen.getAllByRole("article")).toHaveLength(69);
    for (const field of fieldsOf(PARTS)) {
      expect(document.getElementById(field.path)?.textContent, field.path).toContain(field.label);
    }
    expect(screen.getAllByRole("heading", { level: 2 })).toHaveLength(10);
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("says range, default and choices", () => {
    render(<ParametersPage />);
    expect(document.getElementById("schedule.epochs")!.textContent).toContain("1 to 20 epochs, usually 1 to 10 · default 3");
    expect(document.getElementById("method.type")!.textContent).toContain("TRAINING_METHOD_QLORA");
    expect(document.getElementById("integrations.huggingface.credential_id")!.textContent).toContain("Hugging Face Hub · ");
  });

  test("is searched by name, path, help and choice", async () => {
    render(<ParametersPage />);
    const user = userEvent.setup();
    const box = screen.getByRole("searchbox");
    await user.type(box, "waves cosine");
    expect(screen.getAllByRole("article").map((article) => article.id)).toEqual(["optimizer.scheduler.cycles"]);
    expect(screen.getByText("1 parameter fits")).toBeTruthy();
    await user.clear(box);
    await user.type(box, "qqq");
    expect(screen.queryAllByRole("article")).toHaveLength(0);
    expect(screen.getByText(/Try a shorter word/)).toBeTruthy();
  });

  test("goes to the knob that the address names", () => {
    location.hash = "#schedule.epochs";
    render(<ParametersPage />);
    expect(document.activeElement?.id).toBe("schedule.epochs");
  });
});
