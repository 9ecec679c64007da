import { act, cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test } from "vitest";
import { CopyAs } from "../../src/ui/CopyAs.js";

const COMMANDS = { curl: "curl it", cli: "tunesmith it", python: "import it\nit()\n" };

afterEach(cleanup);

test("each way is copied, and that it was is said", async () => {
  const person = userEvent.setup();
  render(<CopyAs commands={COMMANDS} />);
  const ways: [name: string, text: string][] = [
    ["curl", COMMANDS.curl],
    ["Command line", COMMANDS.cli],
    ["Python", COMMANDS.python],
  ];
  expect(ways.length).toBe(3);
  for (const [name, text] of ways) {
    await person.click(document.querySelector("summary")!);
    await person.click(screen.getByRole("button", { name }));
    expect(await navigator.clipboard.readText()).toBe(text);
    expect(screen.getByRole("status").textContent).toBe(`Copied for ${name}`);
    expect(document.querySelector("details")!.open).toBe(false);
    expect(document.activeElement).toBe(document.querySelector("summary"));
  }
});

test("it works by keyboard, and Escape closes it", async () => {
  const person = userEvent.setup();
  render(<CopyAs commands={() => COMMANDS} label="Copy upload as" />);
  const button = screen.getByText("Copy upload as");
  await person.click(button);
  act(() => button.focus());
  await person.keyboard("{ArrowDown}{ArrowDown}");
  expect(document.activeElement?.textContent).toBe("Command line");
  await person.keyboard("{Escape}");
  expect(document.querySelector("details")!.open).toBe(false);
  expect(document.activeElement).toBe(button);
});

test("where the clipboard is refused the text is there, selected", async () => {
  const person = userEvent.setup();
  const clipboard = Object.getOwnPropertyDescriptor(navigator, "clipboard")!;
  Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true });
  try {
    render(<CopyAs commands={COMMANDS} />);
    await person.click(document.querySelector("summary")!);
    await person.click(screen.getByRole("button", { name: "Python" }));
    const area = await screen.findByRole<HTMLTextAreaElement>("textbox");
    expect(area.value).toBe(COMMANDS.python);
    expect([area.selectionStart, area.selectionEnd]).toEqual([0, area.value.length]);
    expect(document.querySelector("dialog")!.open).toBe(true);
    await person.click(screen.getByRole("button", { name: "Close" }));
    await waitFor(() => expect(document.querySelector("dialog")).toBeNull());
  } finally {
    Object.defineProperty(navigator, "clipboard", clipboard);
  }
});
