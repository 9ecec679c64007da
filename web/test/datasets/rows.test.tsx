import { create, type JsonObject } from "@bufbuild/protobuf";
import { cleanup, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { ColumnType, DatasetFormat, DatasetSchema, RegistryService } from "@tunesmith/sdk";
import { afterEach, expect, test } from "vitest";
import DatasetPage from "../../src/datasets/DatasetPage.js";
import DatasetsPage from "../../src/datasets/DatasetsPage.js";
import { turnsOf } from "../../src/datasets/rows/turns.js";
import { opened } from "../console/opened.js";

afterEach(cleanup);

const asked: number[] = [];
const shown = (format: DatasetFormat, columns: string[], rows: JsonObject[], rowCount = rows.length) =>
  opened("/datasets/d1", <DatasetPage id="d1" />, ({ service }) =>
    service(RegistryService, {
      getDataset: ({ id }) => ({
        dataset: create(DatasetSchema, {
          id,
          displayName: "mine",
          version: 2,
          filename: "mine.jsonl",
          format,
          rowCount: BigInt(rowCount),
          columns: columns.map((name) => ({ name, type: ColumnType.STRING, valueCount: BigInt(rowCount) })),
        }),
      }),
      previewDataset: ({ rowCount: wanted }) => {
        asked.push(wanted);
        return { rows: rows.slice(0, wanted) };
      },
    }),
  );

test("messages are a conversation, and nothing in them is markup", async () => {
  const nasty = `<img src=x onerror="alert(1)"> **bold**`;
  shown(DatasetFormat.MESSAGES, ["messages", "source"], [
    { messages: [{ role: "user", content: nasty }, { role: "assistant", content: "Yes.", tool_calls: [{ name: "look" }] }], source: "forum" },
  ]);
  const turns = within(await screen.findByRole("list", { name: "Conversation" })).getAllByRole("listitem");
  expect(turns.map((turn) => turn.dataset.role)).toEqual(["user", "assistant"]);
  expect(turns[0]!.textContent).toContain(nasty);
  expect(document.querySelector("img")).toBeNull();
  expect(turns[1]!.textContent).toContain("tool_calls");
  expect(screen.getByText("forum")).toBeTruthy();
  expect(document.title).toBe("mine · Tunesmith");
  expect(screen.getByRole("link", { name: "Train on this" }).getAttribute("href")).toBe("/jobs/new?dataset=d1");
});

test("instructions are blocks, interactions a table", async () => {
  const { unmount } = shown(DatasetFormat.ALPACA, ["instruction", "output"], [{ instruction: "Add", output: "3" }]);
  await screen.findByText("Add");
  expect([...document.querySelectorAll(".blocks dt")].map((term) => term.textContent)).toEqual(["instruction", "output"]);
  unmount();
  shown(DatasetFormat.INTERACTIONS, ["user_id", "rating"], [{ user_id: "u1", rating: 4.5 }, { user_id: "u2" }]);
  const table = await screen.findByRole("region", { name: "Rows as a table" });
  expect(within(table).getAllByRole("row").map((row) => row.textContent)).toEqual(["Rowuser_idrating", "1u14.5", "2u2empty"]);
});

test("long texts are folded, and opened whole", async () => {
  const long = `${"word ".repeat(400)}end`;
  shown(DatasetFormat.TEXT, ["text"], [{ text: long }, { text: Array.from({ length: 40 }, (_, line) => `line ${line}`).join("\n") }]);
  const person = userEvent.setup();
  const open = await screen.findByRole("button", { name: "Show all 2,003 characters" });
  expect(screen.queryByText(/end$/)).toBeNull();
  expect(screen.getAllByRole("button", { name: /^Show all/ }).length).toBe(2);
  await person.click(open);
  expect(screen.getByText(/end$/).textContent).toBe(long);
});

test("more rows are read when somebody asks for them", async () => {
  asked.length = 0;
  const rows = Array.from({ length: 60 }, (_, row) => ({ text: `text ${row}` }));
  shown(DatasetFormat.TEXT, ["text"], rows);
  const person = userEvent.setup();
  await waitFor(() => expect(document.querySelectorAll(".rows > li").length).toBe(5));
  await person.click(screen.getByRole("button", { name: "100" }));
  await waitFor(() => expect(document.querySelectorAll(".rows > li").length).toBe(60));
  expect(asked).toEqual([5, 100]);
});

test("the list is filtered by the format in the address", async () => {
  const formats: DatasetFormat[] = [];
  opened("/datasets?format=alpaca", <DatasetsPage />, ({ service }) =>
    service(RegistryService, {
      listDatasets: ({ format }) => {
        formats.push(format);
        return format === DatasetFormat.ALPACA ? {} : { datasets: [{ id: "d", displayName: "one", format: DatasetFormat.TEXT }] };
      },
    }),
  );
  const person = userEvent.setup();
  await person.click(await screen.findByRole("button", { name: "Show all formats" }));
  expect(await screen.findByRole("link", { name: "one" })).toBeTruthy();
  expect(formats).toEqual([DatasetFormat.ALPACA, DatasetFormat.UNSPECIFIED]);
});

test("turns are read from both kinds of conversation", () => {
  expect(turnsOf({ conversations: [{ from: "human", value: "a" }, { from: "gpt", value: null }] })).toEqual([
    { role: "human", text: "a" },
    { role: "gpt", text: "" },
  ]);
  expect(turnsOf({ messages: [7] })).toEqual([{ role: "?", text: "" }]);
  expect(turnsOf({ text: "x" })).toBeUndefined();
});
