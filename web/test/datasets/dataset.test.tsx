// One dataset beyond its rows: figures, integrity, versions, conversion, and the end of it.
import { create } from "@bufbuild/protobuf";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import {
  ConversionTarget,
  type ConvertDatasetRequest,
  type Dataset,
  DatasetFormat,
  DatasetIntegritySchema,
  DatasetSchema,
  DatasetStatisticsSchema,
  type GetDatasetStatisticsRequest,
  IntegrityStatus,
  RegistryService,
} from "@tunesmith/sdk";
import { expect, test } from "vitest";
import DatasetPage from "../../src/datasets/DatasetPage.js";
import { opened } from "../console/opened.js";

function shown() {
  const dataset = (id: string, more: Partial<Dataset> = {}) =>
    Object.assign(create(DatasetSchema, { id, displayName: "chats", version: 2, filename: "chats.jsonl", format: DatasetFormat.MESSAGES, rowCount: 200n }), more);
  const datasets = [dataset("d2", { parentId: "d0" }), dataset("d1", { version: 1 }), dataset("d0", { displayName: "raw", version: 4 })];
  const counted: GetDatasetStatisticsRequest[] = [];
  const converted: ConvertDatasetRequest[] = [];
  const deleted: string[] = [];
  opened("/datasets/d2", <DatasetPage id="d2" />, ({ service }) =>
    service(RegistryService, {
      getDataset: ({ id }) => ({ dataset: datasets.find((one) => one.id === id) }),
      listDatasets: ({ displayName }) => ({ datasets: datasets.filter((one) => one.displayName === displayName) }),
      listBaseModels: () => ({ baseModels: [{ id: "m1", displayName: "pico", tokenizer: "LlamaTokenizer" }, { id: "m2", displayName: "no words" }] }),
      previewDataset: () => ({ rows: [] }),
      getDatasetStatistics: (request) => {
        counted.push(request);
        return {
          statistics: create(DatasetStatisticsSchema, {
            datasetId: "d2",
            rowCount: 200n,
            sampledRowCount: 200n,
            tokenizerBaseModelId: request.baseModel,
            tokenCount: request.baseModel ? 5_000n : 6_000n,
            meanTokens: 25.4,
            medianTokens: 20n,
            p95Tokens: 60n,
            p99Tokens: 90n,
            maxTokens: 127n,
            tokenHistogram: [
              { lower: 0n, upper: 64n, rowCount: 150n },
              { lower: 64n, upper: 128n, rowCount: 50n },
            ],
            duplicateRowCount: 3n,
            emptyValueCounts: { source: 7n, kept: 0n },
            roleCounts: { user: 200n, assistant: 210n },
            meanTurns: 2.05,
          }),
        };
      },
      verifyDataset: ({ id }) => {
        const found = datasets.find((one) => one.id === id)!;
        return { dataset: Object.assign(found, { integrity: create(DatasetIntegritySchema, { status: IntegrityStatus.FAILED, message: "two bytes differ; upload it again" }) }) };
      },
      convertDataset: (request) => {
        converted.push(request);
        return { dataset: dataset("d9", { displayName: "chats, alpaca", version: 1, rowCount: 198n }), skippedRowCount: 2n, skippedRows: ["line 7: three turns"] };
      },
      deleteDataset: ({ id }) => {
        deleted.push(id);
        return {};
      },
    }),
  );
  return { counted, converted, deleted, person: userEvent.setup() };
}

test("statistics are a picture with a table, by an estimate or by a model's tokenizer", async () => {
  const { counted, person } = shown();
  const panel = within(await screen.findByRole("region", { name: "Statistics" }));
  await panel.findByText("6,000");
  const said = () => screen.getByRole("region", { name: "Statistics" }).textContent!.replace(/\s+/g, " ");
  for (const words of ["6,000 tokens in 200 rows, estimated at four bytes a token", "Median20 tokens", "95 of 100 rows60 tokens", "Longest127 tokens", "Repeated rows3 (1.5 %)", "source in 7 rows", "user 200", "assistant 210", "2.05 a row"]) {
    expect(said()).toContain(words);
  }
  expect(said()).not.toContain("kept");
  const rows = within(panel.getByRole("table")).getAllByRole("row").slice(1);
  expect(rows.map((row) => row.textContent)).toEqual(["0 – 63150", "64 – 12750"]);
  const bars = [...document.querySelectorAll<HTMLElement>(".histogram-bars > span")].map((bar) => Number(bar.style.getPropertyValue("--share")));
  expect(bars).toEqual([1, 1 / 3]);
  expect(panel.queryByRole("option", { name: "no words" })).toBeNull();
  await person.selectOptions(panel.getByLabelText("Tokens by"), "pico");
  await panel.findByText("5,000");
  expect(said()).not.toContain("estimated at");
  expect(counted.map(({ baseModel }) => baseModel)).toEqual(["", "m1"]);
});

test("versions and the parent are links, and a look at the bytes is told", async () => {
  const { person } = shown();
  expect((await screen.findByRole("link", { name: "version 1" })).getAttribute("href")).toBe("/datasets/d1");
  expect((await screen.findByRole("link", { name: "raw, version 4" })).getAttribute("href")).toBe("/datasets/d0");
  expect(screen.getByText("Not verified")).toBeTruthy();
  await person.click(screen.getByRole("button", { name: "Verify" }));
  expect(await screen.findByText("Damaged")).toBeTruthy();
  expect(screen.getByText("two bytes differ; upload it again")).toBeTruthy();
});

test("a conversion says what was left out and leads to what was made", async () => {
  const { converted, person } = shown();
  await person.click(await screen.findByRole("button", { name: "Convert" }));
  const dialog = await screen.findByRole("dialog", { name: "Convert chats" });
  await person.selectOptions(within(dialog).getByLabelText("Into"), "Alpaca");
  await person.click(within(dialog).getByRole("checkbox"));
  await person.click(within(dialog).getByRole("button", { name: "Convert" }));
  expect(await within(dialog).findByText("line 7: three turns")).toBeTruthy();
  expect(dialog.textContent).toMatch(/chats, alpaca, version 1: 198 rows, 2 left out/);
  expect(within(dialog).getByRole("link").getAttribute("href")).toBe("/datasets/d9");
  expect(converted).toMatchObject([{ id: "d2", target: ConversionTarget.ALPACA, skipUnfitRows: true }]);
});

test("a dataset is deleted, and only after it was asked", async () => {
  const { deleted, person } = shown();
  await person.click(await screen.findByRole("button", { name: "Delete" }));
  await person.click(await screen.findByRole("button", { name: "Keep it" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(deleted).toEqual([]);
  await person.click(screen.getByRole("button", { name: "Delete" }));
  await person.click(await screen.findByRole("button", { name: "Delete the dataset" }));
  await waitFor(() => expect(window.location.pathname).toBe("/datasets"));
  expect(deleted).toEqual(["d2"]);
});
