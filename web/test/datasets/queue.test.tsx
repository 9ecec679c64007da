import { cleanup, render, screen, within } from "@testing-library/react";
import { create } from "@bufbuild/protobuf";
import { createTunesmith, type Dataset, DatasetSchema, type UploadOptions } from "@tunesmith/sdk";
import { afterEach, expect, test } from "vitest";
import { type Upload, UploadQueue } from "../../src/datasets/upload/queue.js";
import { Uploads } from "../../src/datasets/upload/Uploads.js";
import { TunesmithProvider } from "../../src/ui/tunesmith.js";

afterEach(cleanup);

/** Uploads whose bytes leave when the test says so, as no browser can be told to. */
class Line {
  readonly sent: { file: Blob; options: UploadOptions; store: (dataset: Dataset) => void; fail: (error: Error) => void }[] = [];
  readonly uploadDataset = (file: Blob, options: UploadOptions): Promise<Dataset> =>
    new Promise((store, fail) => this.sent.push({ file, options, store, fail }));
}

const turn = () => new Promise((resolve) => setTimeout(resolve));
const draw = (queue: UploadQueue) => {
  cleanup();
  render(
    <TunesmithProvider value={createTunesmith({ baseUrl: "http://127.0.0.1:1" })}>
      <Uploads queue={queue} uploads={queue.uploads()} />
    </TunesmithProvider>,
  );
  return screen.getAllByRole("listitem")[0]!;
};

test("bytes, share and speed are shown while they leave, then that rows are checked", async () => {
  const line = new Line();
  let stored = 0;
  const queue = new UploadQueue(line, () => (stored += 1));
  queue.choose([new File(["x".repeat(4_000_000)], "big.jsonl"), new File(["y"], "small.jsonl")]);
  queue.start();
  await turn();
  expect(line.sent.length).toBe(1);
  line.sent[0]!.options.onProgress?.(1_000_000, 4_000_000);
  const item = draw(queue);
  expect(item.textContent).toMatch(/1\.00 MB of 4\.00 MB · 25 % · .+B\/s/);
  expect(within(item).getByRole<HTMLProgressElement>("progressbar").value).toBe(0.25);
  expect(screen.getByText("Waits for the file before it")).toBeTruthy();
  line.sent[0]!.options.onProgress?.(4_000_000, 4_000_000);
  const checking = draw(queue);
  expect(checking.textContent).toContain("All there; checking every row…");
  // A bar without a value moves, since nobody knows how long it takes.
  expect(within(checking).getByRole("progressbar").hasAttribute("value")).toBe(false);
  line.sent[0]!.store(create(DatasetSchema, { id: "d1", displayName: "big", version: 1, rowCount: 9n }));
  await turn();
  expect(queue.uploads().map(({ state }) => state)).toEqual(["stored", "sending"]);
  expect([stored, line.sent.length]).toEqual([1, 2]);
});

test("a file that is refused does not hold up the others, and listeners hear of each step", async () => {
  const line = new Line();
  const queue = new UploadQueue(line, () => undefined);
  const heard: Upload["state"][][] = [];
  const unsubscribe = queue.subscribe(() => heard.push(queue.uploads().map(({ state }) => state)));
  queue.choose([new File(["a"], "a.jsonl"), new File(["b"], "b.jsonl")]);
  queue.start();
  await turn();
  line.sent[0]!.fail(new Error("line 1: is no JSON"));
  await turn();
  expect(queue.uploads()[0]!.error?.message).toContain("line 1: is no JSON");
  expect(queue.uploads().map(({ state }) => state)).toEqual(["refused", "sending"]);
  unsubscribe();
  expect(heard).toEqual([["chosen", "chosen"], ["waiting", "waiting"], ["sending", "waiting"], ["refused", "waiting"], ["refused", "sending"]]);
});
