import { JobService, JobState, type WatchJobResponse } from "@tunesmith/sdk";
import { afterEach, expect, test, vi } from "vitest";
import { defineElement } from "../../src/elements/element.js";
import "../../src/elements/tunesmith.js";
import { jobAt, messageOf } from "../monitor/messages.js";
import { clientOf, Line } from "../monitor/streams.js";

type MonitorElement = HTMLElement & { client: unknown; job: string | null; compact: boolean };

afterEach(() => document.body.replaceChildren());

function watched() {
  const lines = new Map<string, Line<WatchJobResponse>>();
  const streams: { id: string; signal: AbortSignal }[] = [];
  const lineOf = (id: string) => lines.get(id) ?? lines.set(id, new Line<WatchJobResponse>()).get(id)!;
  const client = clientOf((router) =>
    router.rpc(JobService.method.watchJob, async function* ({ id }, { signal }) {
      streams.push({ id, signal });
      yield* lineOf(id).read(signal);
    }),
  );
  return { client, streams, lineOf };
}

function monitor(client: unknown, job?: string): MonitorElement {
  const element = document.createElement("tunesmith-monitor") as MonitorElement;
  element.client = client;
  if (job) {
    element.setAttribute("job", job);
  }
  return element;
}

const text = (element: HTMLElement) => element.shadowRoot!.textContent;

test("shows a job, another one when its attribute changes, and tells the page of each state", async () => {
  const { client, streams, lineOf } = watched();
  const told: unknown[] = [];
  document.body.addEventListener("tunesmith-state", (event) => told.push((event as CustomEvent).detail), { once: false });
  const element = monitor(client, "job-1");
  const around = document.createElement("div");
  around.append(element);
  document.body.append(around);
  lineOf("job-1").put(messageOf({ job: jobAt(JobState.RUNNING, 1) }));
  await vi.waitFor(() => expect(text(element)).toContain("pico on alpaca"), 5000);
  expect(told).toEqual([{ state: "RUNNING", job: expect.objectContaining({ id: "job-1", state: "JOB_STATE_RUNNING" }) }]);
  lineOf("job-1").put(messageOf({ job: jobAt(JobState.RUNNING, 2, { progress: 0.5 }) }));
  lineOf("job-1").put(messageOf({ job: jobAt(JobState.PAUSED, 3) }));
  await vi.waitFor(() => expect(told).toHaveLength(2));
  element.job = "job-2";
  expect(element.getAttribute("job")).toBe("job-2");
  lineOf("job-2").put(messageOf({ job: jobAt(JobState.QUEUED, 1, { id: "job-2", displayName: "another" }) }));
  await vi.waitFor(() => expect(text(element)).toContain("another"));
  expect(streams.map(({ id, signal }) => [id, signal.aborted])).toEqual([
    ["job-1", true],
    ["job-2", false],
  ]);
});

test("ends its stream when it is removed, goes on when it is only moved, and begins anew when it comes back", async () => {
  const { client, streams, lineOf } = watched();
  const element = monitor(client, "job-1");
  document.body.append(element);
  lineOf("job-1").put(messageOf({ job: jobAt(JobState.RUNNING, 1) }));
  await vi.waitFor(() => expect(text(element)).toContain("pico on alpaca"));
  const elsewhere = document.body.appendChild(document.createElement("section"));
  elsewhere.append(element);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(streams.map(({ signal }) => signal.aborted)).toEqual([false]);
  expect(text(element)).toContain("pico on alpaca");
  element.remove();
  await vi.waitFor(() => expect(streams.map(({ signal }) => signal.aborted)).toEqual([true]));
  expect(text(element)).toBe("");
  document.body.append(element);
  lineOf("job-1").put(messageOf({ job: jobAt(JobState.RUNNING, 1) }));
  await vi.waitFor(() => expect(text(element)).toContain("pico on alpaca"));
  expect(streams).toHaveLength(2);
});

test("says what is missing without a job", async () => {
  const element = monitor(watched().client);
  document.body.append(element);
  await vi.waitFor(() => expect(text(element)).toContain("Set the attribute job"));
});

test("is dressed by constructed style sheets and by nothing else", async () => {
  const element = monitor(watched().client);
  document.body.append(element);
  await vi.waitFor(() => expect(text(element)).toContain("job"));
  expect(element.shadowRoot!.adoptedStyleSheets).toHaveLength(6);
  expect(element.shadowRoot!.querySelectorAll("style, link")).toHaveLength(0);
  expect(document.querySelectorAll("style, link")).toHaveLength(0);
});

test("takes what a page set before the script was there, and a second definition changes nothing", async () => {
  const early = document.createElement("tunesmith-late") as HTMLElement & Record<string, unknown>;
  early.job = "job-7";
  early.compact = true;
  early.given = { some: "thing" };
  document.body.append(early);
  const shown: unknown[] = [];
  const options = {
    attributes: ["job"],
    flags: ["compact"],
    properties: ["given"],
    load: async () => ({
      default: {
        component: ({ values }: { values: unknown }) => {
          shown.push(values);
          return null;
        },
        styles: [],
      },
    }),
  };
  defineElement("tunesmith-late", options);
  defineElement("tunesmith-late", { ...options, attributes: ["other"] });
  await vi.waitFor(() => expect(shown.at(-1)).toEqual({ job: "job-7", compact: true, given: { some: "thing" } }));
  expect(early.getAttribute("job")).toBe("job-7");
});

test("says so when its component can't be loaded", async () => {
  defineElement("tunesmith-broken", { load: () => Promise.reject(new Error("no network")) });
  const element = document.createElement("tunesmith-broken");
  let told: unknown;
  document.body.addEventListener("tunesmith-error", (event) => (told = (event as CustomEvent).detail), { once: true });
  document.body.append(element);
  await vi.waitFor(() => expect(text(element)).toContain("could not be loaded"));
  expect(told).toEqual({ error: new Error("no network") });
});
