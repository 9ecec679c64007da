// Uploads over real HTTP. How a browser sends one, with progress as the bytes leave, is tested in tests/e2e.
import { afterEach, describe, expect, test } from "vitest";
import { AdapterType, Code, DatasetFormat, createTunesmith, type UploadOptions } from "../src/index.js";
import { serve, type Call, type Served } from "./grpc_web_server.js";

const ROWS = new Blob(['{"text": "a"}\n'], { type: "application/json" });

let server: Served | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function upload(answer: (call: Call) => void, options: Partial<UploadOptions> = {}) {
  server = await serve(answer);
  return createTunesmith({ baseUrl: `${server.baseUrl}/below/` }).uploadDataset(ROWS, {
    filename: "rows of mine.jsonl",
    ...options,
  });
}

function stored(call: Call): void {
  const dataset = { id: "d1", display_name: "mine", row_count: "1", format: "DATASET_FORMAT_TEXT", from_a_later_version: 1 };
  call.response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ dataset }));
}

describe("an upload", () => {
  test("sends the bytes, and everything else as fields of the request", async () => {
    const progress: number[][] = [];
    const dataset = await upload(stored, {
      displayName: "mine & yours",
      format: DatasetFormat.PROMPT_COMPLETION,
      requestId: "r1",
      onProgress: (...each) => progress.push(each),
    });
    const [call] = server!.calls;
    const url = new URL(call!.path, "http://x");
    expect(url.pathname).toBe("/below/v1/datasets:upload");
    expect(Object.fromEntries(url.searchParams)).toEqual({
      filename: "rows of mine.jsonl",
      display_name: "mine & yours",
      format: "DATASET_FORMAT_PROMPT_COMPLETION",
      request_id: "r1",
    });
    expect(call!.body.toString()).toBe('{"text": "a"}\n');
    expect(call!.headers["content-type"]).toBe("application/octet-stream");
    expect(dataset).toMatchObject({
      $typeName: "tunesmith.registry.v1.Dataset",
      id: "d1",
      rowCount: 1n,
      format: DatasetFormat.TEXT,
    });
    expect(progress).toEqual([
      [0, 14],
      [14, 14],
    ]);
  });

  test("says only what the caller said, and a name of its own for the write", async () => {
    await upload(stored);
    const { searchParams } = new URL(server!.calls[0]!.path, "http://x");
    expect([...searchParams.keys()].sort()).toEqual(["filename", "request_id"]);
    expect(searchParams.get("request_id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("writes a space as the gateway reads it", async () => {
    // The gateway takes a plus for a plus: "held out" became "held+out".
    await upload(stored);
    expect(server!.calls[0]!.path).toContain("filename=rows%20of%20mine.jsonl");
  });

  test("that is refused says which row and why", async () => {
    const body = {
      code: 3,
      message: "line 2: no text",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          field_violations: [{ field: "data", description: "line 2: no text", reason: "" }],
        },
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "ROWS", metadata: { line: "2" } },
        { "@type": "type.googleapis.com/google.rpc.Help" },
        null,
      ],
    };
    const refused = upload((call) => void call.response.writeHead(400, { "x-request-id": "17" }).end(JSON.stringify(body)));
    await expect(refused).rejects.toMatchObject({
      name: "TunesmithError",
      code: Code.InvalidArgument,
      message: "line 2: no text",
      violations: [{ fieldPath: "data", message: "line 2: no text", reason: "" }],
      reason: "ROWS",
      metadata: { line: "2" },
      requestId: "17",
    });
  });

  test.each([
    [403, Code.PermissionDenied],
    [404, Code.NotFound],
    [413, Code.ResourceExhausted],
    [418, Code.Unknown],
    [502, Code.Unavailable],
    [504, Code.DeadlineExceeded],
  ])("that a proxy answers with %i has a sentence too", async (status, code) => {
    const refused = upload((call) => void call.response.writeHead(status).end("<html>"));
    await expect(refused).rejects.toMatchObject({
      code,
      message: expect.stringMatching(`^HTTP ${status} .* Check the address`) as string,
    });
  });

  test.each(["{}", "<html>", '{"dataset": 5}'])("that is answered %s did not reach Tunesmith", async (body) => {
    await expect(upload((call) => void call.response.end(body))).rejects.toMatchObject({
      code: Code.Internal,
      message: expect.stringContaining("Check the address") as string,
    });
  });

  test("that is stopped is Canceled, whether or not it had begun", async () => {
    await expect(upload(stored, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: Code.Canceled });
    expect(server!.calls).toHaveLength(0);
    await server!.close();
    const ending = new AbortController();
    await expect(upload(() => ending.abort(), { signal: ending.signal })).rejects.toMatchObject({ code: Code.Canceled });
    await server!.calls[0]!.closed;
  });

  test.each([
    ["nobody answers", (call: Call) => void call.response.destroy(), "does not answer"],
    [
      "the answer breaks",
      (call: Call) => void (call.response.write("{"), setTimeout(() => call.response.destroy(), 20)),
      "broke before",
    ],
  ])("where %s is Unavailable", async (_, answer, sentence) => {
    await expect(upload(answer)).rejects.toMatchObject({
      code: Code.Unavailable,
      message: expect.stringContaining(sentence) as string,
    });
  });
});

describe("an adapter's upload", () => {
  test("sends the archive, and everything else as fields of the request", async () => {
    server = await serve((call) => {
      const adapter = { id: "a1", display_name: "mine", type: "ADAPTER_TYPE_LORA", rank: 8 };
      call.response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ adapter }));
    });
    const archive = new Blob(["a tar"]);
    const tunesmith = createTunesmith({ baseUrl: server.baseUrl });
    const adapter = await tunesmith.uploadAdapter(archive, { baseModel: "me/my model", displayName: "mine", requestId: "r1" });
    const url = new URL(server.calls[0]!.path, "http://x");
    expect(url.pathname).toBe("/v1/adapters:upload");
    expect(Object.fromEntries(url.searchParams)).toEqual({ base_model: "me/my model", display_name: "mine", request_id: "r1" });
    expect(server.calls[0]!.body.toString()).toBe("a tar");
    expect(adapter).toMatchObject({ $typeName: "tunesmith.registry.v1.Adapter", id: "a1", type: AdapterType.LORA, rank: 8 });
  });

  test("that is answered without one did not reach Tunesmith", async () => {
    server = await serve((call) => void call.response.end("{}"));
    const sent = createTunesmith({ baseUrl: server.baseUrl }).uploadAdapter(new Blob([]), { baseModel: "m" });
    await expect(sent).rejects.toMatchObject({ code: Code.Internal, message: expect.stringContaining("without an adapter") as string });
  });
});
