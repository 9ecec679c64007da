import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { lazy, Suspense } from "react";
import userEvent from "@testing-library/user-event";
import { Route, Switch } from "wouter";
import { expect, test } from "vitest";
import { Frame } from "../../src/console/Frame.js";
import { SHORTCUTS } from "../../src/console/shortcuts.js";
import { opened } from "./opened.js";

const Slow = lazy(async () => {
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { default: () => <h1>Models</h1> };
});
const shown = (address = "/jobs") =>
  opened(
    address,
    <Frame>
      <Suspense fallback={<p>Loading…</p>}>
        <Switch>
          <Route path="/jobs">
            <h1>Jobs</h1>
            <input data-search="" aria-label="Search" />
          </Route>
          <Route path="/models" component={Slow} />
          <Route>
            <h1>Elsewhere</h1>
          </Route>
        </Switch>
      </Suspense>
    </Frame>,
    () => undefined,
  );
const press = (...keys: string[]) => act(() => keys.forEach((key) => void fireEvent.keyDown(document.activeElement ?? document.body, { key })));

test("keys lead to every place, but not while somebody types", async () => {
  shown();
  const ways: [keys: string[], path: string][] = [
    [["g", "m"], "/models"],
    [["g", "d"], "/datasets"],
    [["g", "r"], "/recipes"],
    [["g", "a"], "/adapters"],
    [["g", "p"], "/parameters"],
    [["g", "j"], "/jobs"],
    [["n"], "/jobs/new"],
  ];
  expect(ways.length).toBe(7);
  for (const [keys, path] of ways) {
    press(...keys);
    expect(window.location.pathname).toBe(path);
  }
  press("g", "x", "m");
  expect(window.location.pathname).toBe("/jobs/new");
  press("g", "j");
  press("/");
  expect(document.activeElement).toBe(screen.getByLabelText("Search"));
  press("g", "m", "n", "?");
  expect(window.location.pathname).toBe("/jobs");
  expect(screen.queryByRole("dialog")).toBeNull();
  fireEvent.keyDown(document.body, { key: "n", ctrlKey: true });
  expect(window.location.pathname).toBe("/jobs");
});

test("a dialog lists the keys, and no key acts behind it", async () => {
  shown();
  press("?");
  const dialog = await screen.findByRole<HTMLDialogElement>("dialog", { name: "Keys" });
  expect(dialog.querySelectorAll("dt").length).toBe(SHORTCUTS.length);
  press("n");
  expect(window.location.pathname).toBe("/jobs");
  await userEvent.setup().click(screen.getByRole("button", { name: "Close" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

test("the focus goes to the heading of the page that was gone to, also when it loads slowly", async () => {
  shown();
  expect(document.activeElement).toBe(document.body);
  const person = userEvent.setup();
  await person.click(screen.getByRole("link", { name: "Models" }));
  await waitFor(() => expect(document.activeElement?.tagName).toBe("H1"));
  expect(document.activeElement?.textContent).toBe("Models");
  await person.click(screen.getByRole("link", { name: "Parameters" }));
  await waitFor(() => expect(document.activeElement?.textContent).toBe("Elsewhere"), { timeout: 3_000 });
  expect(screen.getByRole("link", { name: "Parameters" }).getAttribute("aria-current")).toBe("page");
});

test("the first thing that Tab reaches skips to the page", async () => {
  shown();
  const person = userEvent.setup();
  await person.tab();
  expect(document.activeElement?.textContent).toBe("Skip to the page");
  const target = document.querySelector(document.activeElement!.getAttribute("href")!);
  expect([target?.tagName, (target as HTMLElement).tabIndex]).toEqual(["MAIN", -1]);
});

test("a new page begins at its top, and the way back leads to where one was", async () => {
  shown();
  const page = document.documentElement;
  Object.defineProperty(page, "scrollHeight", { value: 5_000, configurable: true });
  try {
    window.scrollTo(0, 700);
    window.dispatchEvent(new Event("scroll"));
    await new Promise((resolve) => setTimeout(resolve, 150));
    press("g", "m");
    await waitFor(() => expect(document.activeElement?.textContent).toBe("Models"));
    expect(window.scrollY).toBe(0);
    // As a browser goes back: the address first, then the event.
    (window as unknown as { happyDOM: { setURL: (url: string) => void } }).happyDOM.setURL(new URL("/jobs", window.location.href).href);
    act(() => void window.dispatchEvent(new PopStateEvent("popstate")));
    await waitFor(() => expect(document.activeElement?.textContent).toBe("Jobs"));
    expect(window.scrollY).toBe(700);
  } finally {
    Reflect.deleteProperty(page, "scrollHeight");
  }
});
