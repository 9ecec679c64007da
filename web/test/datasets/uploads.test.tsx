import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { type Dataset, RegistryService } from "@tunesmith/sdk";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import DatasetsPage from "../../src/datasets/DatasetsPage.js";
import { opened } from "../console/opened.js";

interface Arrived {
  query: Record<string, string>;
  bytes: number;
  /** Whether the client went away before the answer. */
  gone: boolean;
}

// The gateway's upload as browsers see it: real requests to a real server, of which the tests hold the answers.
let server: Server;
let base: string;
let answer: (arrived: Arrived, response: ServerResponse) => void;
const arrived: Arrived[] = [];
const stored: Partial<Dataset>[] = [];

beforeAll(async () => {
  server = createServer((request: IncomingMessage, response: ServerResponse) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "*");
    if (request.method === "OPTIONS") {
      response.end();
      return;
    }
    const one: Arrived = { query: Object.fromEntries(new URL(request.url!, base).searchParams), bytes: 0, gone: false };
    arrived.push(one);
    request.on("data", (piece: Buffer) => (one.bytes += piece.length));
    response.on("close", () => (one.gone = !response.writableFinished));
    request.on("end", () => answer(one, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  arrived.length = stored.length = 0;
  answer = ({ query }, response) => {
    const dataset = { id: `d${stored.length}`, display_name: query.display_name ?? query.filename, version: 1, row_count: "3" };
    stored.push({ id: dataset.id, displayName: dataset.display_name, version: 1, rowCount: 3n });
    response.end(JSON.stringify({ dataset }));
  };
});

const shown = () =>
  opened(
    "/datasets",
    <DatasetsPage />,
    ({ service }) => service(RegistryService, { listDatasets: () => ({ datasets: stored.toReversed() as Dataset[] }) }),
    base,
  );
const fileOf = (name: string, rows = 3) => new File([`{"text": "row"}\n`.repeat(rows)], name);
const choose = (...files: File[]) => userEvent.upload(screen.getByLabelText("Files to upload"), files, { applyAccept: false });
const items = () => [...document.querySelectorAll<HTMLElement>(".uploads li[data-state]")];

test("files go one after the other, as they were described, and then stand in the list", async () => {
  shown();
  const person = userEvent.setup();
  expect(await screen.findByText("No datasets yet")).toBeTruthy();
  await choose(fileOf("one.jsonl"), fileOf("two.jsonl", 5));
  expect(items().length).toBe(2);
  expect(arrived.length).toBe(0);
  await person.type(within(items()[0]!).getByLabelText("Display name"), "My & rows");
  await person.selectOptions(within(items()[0]!).getByLabelText("Format"), "Text");
  await person.click(screen.getByRole("button", { name: "Upload 2 files" }));
  await waitFor(() => expect(items().map((item) => item.dataset.state)).toEqual(["stored", "stored"]));
  expect(arrived.map(({ query: { request_id, ...query }, bytes }) => [query, bytes, (request_id ?? "").length > 0])).toEqual([
    [{ filename: "one.jsonl", display_name: "My & rows", format: "DATASET_FORMAT_TEXT" }, 48, true],
    [{ filename: "two.jsonl" }, 80, true],
  ]);
  expect(within(items()[0]!).getByRole("link").getAttribute("href")).toBe("/datasets/d0");
  await waitFor(() => expect(screen.getByRole("table").querySelectorAll("tbody tr").length).toBe(2));
  await person.click(within(items()[0]!).getByRole("button", { name: "Dismiss one.jsonl" }));
  expect(items().length).toBe(1);
});

test("a refusal names the line, stays, and can be tried again", async () => {
  shown();
  const person = userEvent.setup();
  const good = answer;
  answer = (_, response) => {
    response.statusCode = 400;
    const violation = { field: "data", description: "line 2: has no output; rows of this dataset need instruction and output" };
    const details = [{ "@type": "type.googleapis.com/google.rpc.BadRequest", field_violations: [violation] }];
    response.end(JSON.stringify({ code: 3, message: "invalid", details }));
  };
  await choose(fileOf("bad.jsonl"));
  await person.click(screen.getByRole("button", { name: "Upload this file" }));
  await waitFor(() => expect(items()[0]!.dataset.state).toBe("refused"));
  expect(screen.getByRole("alert").textContent).toMatch(/^ ?line 2: has no output/);
  answer = good;
  await choose(fileOf("good.jsonl"));
  await person.click(screen.getByRole("button", { name: "Upload this file" }));
  await waitFor(() => expect(items()[1]!.dataset.state).toBe("stored"));
  expect(screen.getByRole("alert")).toBeTruthy();
  await person.click(screen.getByRole("button", { name: "Change and try again" }));
  await person.selectOptions(within(items()[0]!).getByLabelText("Format"), "Alpaca");
  await person.click(screen.getByRole("button", { name: "Upload this file" }));
  await waitFor(() => expect(items()[0]!.dataset.state).toBe("stored"));
  expect(arrived.at(-1)!.query.format).toBe("DATASET_FORMAT_ALPACA");
});

test("a file that is stopped makes way for the next", async () => {
  shown();
  const person = userEvent.setup();
  const good = answer;
  answer = () => undefined;
  await choose(fileOf("slow.jsonl"), fileOf("next.jsonl"));
  await person.click(screen.getByRole("button", { name: "Upload 2 files" }));
  await waitFor(() => expect(arrived[0]?.bytes).toBe(48));
  expect(items().map((item) => item.dataset.state)[1]).toBe("waiting");
  answer = good;
  await person.click(screen.getByRole("button", { name: "Stop slow.jsonl" }));
  await waitFor(() => expect(arrived[0]!.gone).toBe(true));
  await waitFor(() => expect(items().map((item) => item.dataset.state)).toEqual(["stored"]));
  expect(stored.length).toBe(1);
});

test("files can be dropped anywhere on the page, and only files", async () => {
  shown();
  await screen.findByText("No datasets yet");
  const dropped = (type: string, types: string[], files: File[] = []) => {
    const event = new Event(type, { bubbles: true, cancelable: true });
    Object.assign(event, { dataTransfer: { types, files } });
    act(() => void fireEvent(document.body, event));
    return event;
  };
  dropped("dragenter", ["text/plain"]);
  expect(screen.queryByText("Drop the files to upload them")).toBeNull();
  dropped("dragenter", ["Files"]);
  dropped("dragenter", ["Files"]);
  dropped("dragleave", ["Files"]);
  expect(screen.getByText("Drop the files to upload them")).toBeTruthy();
  expect(dropped("drop", ["Files"], [fileOf("a.jsonl"), fileOf("b.csv")]).defaultPrevented).toBe(true);
  expect(screen.queryByText("Drop the files to upload them")).toBeNull();
  expect(items().length).toBe(2);
});
