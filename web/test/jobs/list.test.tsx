import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { JobState } from "@tunesmith/sdk";
import { expect, test, vi } from "vitest";
import { ROW_PX } from "../../src/jobs/list/JobRows.js";
import JobsPage from "../../src/jobs/JobsPage.js";
import { opened } from "../console/opened.js";
import { jobOf, Plant } from "./plant.js";

const rows = () => [...document.querySelectorAll<HTMLElement>("[data-id]")];
const names = () => rows().map((row) => row.querySelector("a")?.textContent);
const row = (id: string) => document.querySelector<HTMLElement>(`[data-id="${id}"]`);
const scrolledTo = (top: number) =>
  act(async () => {
    window.scrollTo(0, top);
    window.dispatchEvent(new Event("scroll"));
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
const shown = async (plant: Plant, address = "/jobs") => {
  const view = opened(address, <JobsPage />, plant.routes);
  await waitFor(() => expect(rows().length).toBeGreaterThan(0));
  return view;
};

test("of ten thousand jobs a screenful is in the page, and scrolling reads on", async () => {
  const plant = new Plant(10_000);
  await shown(plant);
  expect(plant.listed.length).toBeGreaterThanOrEqual(1);
  expect(names().slice(0, 3)).toEqual(["Job 10000", "Job 9999", "Job 9998"]);
  expect(screen.getByRole("table").getAttribute("aria-rowcount")).toBe("-1");
  expect(screen.getByLabelText("200 or more jobs").textContent).toBe("200+");
  for (let page = 1; page < 50; page += 1) {
    await scrolledTo(page * 200 * ROW_PX - 900);
    await waitFor(() => expect(plant.listed.length).toBeGreaterThan(page));
    expect(rows().length).toBeLessThan(60);
  }
  await waitFor(() => expect(screen.getByLabelText("10,000 jobs").textContent).toBe("10,000"));
  await scrolledTo(10_000 * ROW_PX);
  await waitFor(() => expect(names().at(-1)).toBe("Job 1"));
  expect(rows().length).toBeLessThan(60);
  expect(screen.getByRole("table").getAttribute("aria-rowcount")).toBe("10001");
  expect(rows().at(-1)!.getAttribute("aria-rowindex")).toBe("10001");
  // Every page was asked for once.
  expect(new Set(plant.listed.map(({ pageToken }) => pageToken)).size).toBe(50);
  expect(plant.listed.length).toBe(50);
}, 60_000);

test("a job that changes is shown as it stands, in its place", async () => {
  const plant = new Plant(1_000);
  await shown(plant);
  await waitFor(() => expect(plant.watchers).toBe(1));
  const job = { ...jobOf(998, JobState.RUNNING), progress: 0.425, updateTime: jobOf(5_000, JobState.RUNNING).updateTime };
  act(() => plant.change(job));
  await waitFor(() => expect(within(row(job.id)!).getByText("Running")).toBeTruthy());
  expect(within(row(job.id)!).getByText("42 %")).toBeTruthy();
  expect(names()[2]).toBe("Job 998");
  expect(plant.listed.length).toBe(1);
});

test("a new job comes on top, and what is being read stays where it is", async () => {
  const plant = new Plant(1_000);
  await shown(plant);
  await waitFor(() => expect(plant.watchers).toBe(1));
  act(() => plant.change(jobOf(1_001, JobState.QUEUED)));
  await waitFor(() => expect(names()[0]).toBe("Job 1001"));
  expect(window.scrollY).toBe(0);
  await scrolledTo(50 * ROW_PX + 10);
  act(() => plant.change(jobOf(1_002, JobState.QUEUED)));
  await waitFor(() => expect(screen.getByRole("status", { name: /202 or more/ })).toBeTruthy());
  expect(window.scrollY).toBe(51 * ROW_PX + 10);
});

test("a job whose state leaves the filter is gone, and one that enters it is there", async () => {
  const plant = new Plant(1_000);
  await shown(plant, "/jobs?state=paused");
  await waitFor(() => expect(plant.watchers).toBe(1));
  expect(plant.listed[0]!.states).toEqual([JobState.PAUSED]);
  const [first] = rows();
  const id = first!.dataset.id!;
  const later = jobOf(5_000, JobState.PAUSED).updateTime;
  act(() => plant.change({ ...jobOf(Number(id.slice(4)), JobState.QUEUED), updateTime: later }));
  await waitFor(() => expect(row(id)).toBeNull());
  act(() => plant.change({ ...jobOf(999, JobState.PAUSED), updateTime: later }));
  await waitFor(() => expect(names()[0]).toBe("Job 999"));
});

test("what happens while a page is on its way is not lost", async () => {
  const plant = new Plant(1_000);
  await shown(plant);
  await waitFor(() => expect(plant.watchers).toBe(1));
  let open = () => {};
  plant.gate = new Promise((resolve) => (open = resolve));
  await scrolledTo(120 * ROW_PX);
  await waitFor(() => expect(plant.listed.length).toBe(2));
  // The page was read before this, and arrives after it.
  const job = jobOf(790, JobState.RUNNING, { updateTime: jobOf(5_000, JobState.RUNNING).updateTime });
  act(() => plant.change(job));
  await new Promise((resolve) => setTimeout(resolve, 30));
  open();
  await waitFor(() => expect(screen.getByLabelText("400 or more jobs")).toBeTruthy());
  await scrolledTo(205 * ROW_PX);
  await waitFor(() => expect(within(row(job.id)!).getByText("Running")).toBeTruthy());
});

test("filters stand in the address, and the address sets the filters", async () => {
  const plant = new Plant(1_000);
  await shown(plant, "/jobs?state=failed&search=job+9");
  expect(plant.listed[0]).toMatchObject({ states: [JobState.FAILED], search: "job 9" });
  const person = userEvent.setup();
  expect(screen.getByRole("button", { name: "Failed" }).getAttribute("aria-pressed")).toBe("true");
  await person.click(screen.getByRole("button", { name: "Paused" }));
  expect(window.location.search).toBe("?state=paused&state=failed&search=job+9");
  await waitFor(() => expect(plant.listed.at(-1)!.states).toEqual([JobState.PAUSED, JobState.FAILED]));
  const search = screen.getByRole<HTMLInputElement>("searchbox");
  await person.clear(search);
  await person.type(search, "Job 77");
  await waitFor(() => expect(window.location.search).toBe("?state=paused&state=failed&search=Job+77"));
  await waitFor(() => expect(names().every((name) => name?.includes("77"))).toBe(true));
  // Typing is one question, not six.
  expect(plant.listed.filter(({ search: asked }) => asked.startsWith("J")).length).toBe(1);
  await person.clear(search);
  await person.type(search, "no such job");
  await person.click(await screen.findByRole("button", { name: "Clear the filters" }));
  expect(window.location.href).toMatch(/\/jobs$/);
  expect(search.isConnected ? search.value : "").toBe("");
  await waitFor(() => expect(names()[0]).toBe("Job 1000"));
});

test("the keyboard moves, opens, and keeps its row while others scroll", async () => {
  const plant = new Plant(1_000);
  await shown(plant);
  const focused = () => (document.activeElement as HTMLElement).dataset.id;
  expect(rows().filter((one) => one.tabIndex === 0).length).toBe(1);
  act(() => rows()[0]!.focus());
  for (const key of ["ArrowDown", "j", "j", "ArrowUp"]) {
    fireEvent.keyDown(document.activeElement!, { key });
  }
  await waitFor(() => expect(focused()).toBe("job-000998"));
  await scrolledTo(100 * ROW_PX);
  expect(focused()).toBe("job-000998");
  fireEvent.keyDown(document.activeElement!, { key: "End" });
  await waitFor(() => expect(focused()).toBe("job-000601"));
  fireEvent.keyDown(document.activeElement!, { key: "Home" });
  await waitFor(() => expect(focused()).toBe("job-001000"));
  fireEvent.keyDown(document.activeElement!, { key: "k" });
  await waitFor(() => expect(focused()).toBe("job-001000"));
  const search = screen.getByRole<HTMLInputElement>("searchbox");
  search.focus();
  fireEvent.keyDown(search, { key: "j" });
  expect(document.activeElement).toBe(search);
  await scrolledTo(0);
  act(() => row("job-000999")!.focus());
  fireEvent.keyDown(document.activeElement!, { key: "Enter" });
  expect(window.location.pathname).toBe("/jobs/job-000999");
});

test("an action is shown at once and put back when the server refuses", async () => {
  const plant = new Plant(8);
  plant.refuse = "job-000006 is over; look at it to see how it ended";
  await shown(plant);
  const person = userEvent.setup();
  const paused = row("job-000006")!;
  await person.click(within(paused).getByLabelText("Actions for Job 6"));
  await person.click(within(paused).getByRole("button", { name: "Resume" }));
  expect(await screen.findByText(/look at it to see how it ended/)).toBeTruthy();
  expect(screen.getByText("Job 6 could not be told to resume.")).toBeTruthy();
  expect(within(row("job-000006")!).getByText("Paused")).toBeTruthy();
  plant.refuse = "";
  await person.click(within(row("job-000006")!).getByLabelText("Actions for Job 6"));
  await person.click(within(row("job-000006")!).getByRole("button", { name: "Cancel…" }));
  await person.click(within(row("job-000006")!).getByRole("button", { name: "Cancel for good" }));
  await waitFor(() => expect(within(row("job-000006")!).getByText("Cancelled")).toBeTruthy());
  expect(screen.queryByText(/could not be told/)).toBeNull();
  // A job that is over has nothing to be told.
  expect(within(row("job-000008")!).queryByLabelText("Actions for Job 8")).toBeNull();
});

test("without jobs the page says what comes first", async () => {
  const steps: [models: number, datasets: number, link: string][] = [
    [0, 0, "Add a model"],
    [1, 0, "Upload a dataset"],
    [1, 1, "New job"],
  ];
  for (const [models, datasets, link] of steps) {
    const plant = new Plant(0);
    Object.assign(plant, { models, datasets });
    const { unmount } = opened("/jobs", <JobsPage />, plant.routes);
    expect(await screen.findByRole("link", { name: link })).toBeTruthy();
    expect(screen.getByText(/^tunesmith /)).toBeTruthy();
    expect(screen.queryByRole("searchbox")).toBeNull();
    unmount();
  }
});

test("there is one stream while the page can be seen, and it goes on from where it was", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  try {
    const plant = new Plant(10);
    const { unmount } = await shown(plant);
    await waitFor(() => expect(plant.watchers).toBe(1));
    expect(plant.watchedAfter).toEqual([0n]);
    act(() => plant.change(jobOf(11, JobState.QUEUED)));
    await waitFor(() => expect(names()[0]).toBe("Job 11"));
    const look = (state: string) => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    };
    act(() => look("hidden"));
    await act(() => vi.advanceTimersByTimeAsync(9_000));
    expect(plant.watchers).toBe(1);
    await act(() => vi.advanceTimersByTimeAsync(1_500));
    await waitFor(() => expect(plant.watchers).toBe(0));
    act(() => look("visible"));
    await waitFor(() => expect(plant.watchers).toBe(1));
    expect(plant.watchedAfter).toEqual([0n, 8n]);
    unmount();
    await waitFor(() => expect(plant.watchers).toBe(0));
    expect(plant.listed.length).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

test("a stream that breaks is said to be broken, and said to be back", async () => {
  const plant = new Plant(10);
  await shown(plant);
  await waitFor(() => expect(plant.watchers).toBe(1));
  await waitFor(() => expect(document.querySelector(".connection")?.getAttribute("data-state")).toBe("live"));
  plant.breakStreams.forEach((end) => end());
  await waitFor(() => expect(document.querySelector(".connection")?.getAttribute("data-state")).toBe("reconnecting"));
  await waitFor(() => expect(document.querySelector(".connection")?.getAttribute("data-state")).toBe("live"), { timeout: 5_000 });
  expect(plant.watchedAfter).toEqual([0n, 7n]);
});
