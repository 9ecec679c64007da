// Every way in which a call goes wrong, over real HTTP, as a TunesmithError with a sentence that says what to do.
import { anyPack } from "@bufbuild/protobuf/wkt";
import { create, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, ResourceInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import { Code, ListPoolsResponseSchema, TunesmithError, createTunesmith, toTunesmithError } from "../src/index.js";
import { OK, begin, frame, serve, trailer, type Call, type Served } from "./grpc_web_server.js";
import { quickDelays } from "./quick_delays.js";

let server: Served | undefined;

beforeEach(quickDelays);

afterEach(async () => {
  vi.unstubAllGlobals();
  await server?.close();
  server = undefined;
});

/** What a call throws that is answered so. */
async function thrownBy(
  answer: (call: Call) => void,
  options: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<TunesmithError> {
  server = await serve(answer);
  return thrown(createTunesmith({ baseUrl: server.baseUrl }).pools.listPools({}, { timeoutMs: 20_000, ...options }));
}

async function thrown(call: Promise<unknown>): Promise<TunesmithError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TunesmithError);
  return error as TunesmithError;
}

/** A status with details, as the services put it into the trailers. */
function status(code: Code, message: string): string {
  const details = [
    anyPack(
      BadRequestSchema,
      create(BadRequestSchema, {
        fieldViolations: [{ field: "optimizer.learning_rate", description: "too much", reason: "double.lte" }],
      }),
    ),
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: "WRONG", domain: "tunesmith", metadata: { limit: "3" } })),
    anyPack(ResourceInfoSchema, create(ResourceInfoSchema, { resourceName: "not asked for" })),
  ];
  return Buffer.from(toBinary(StatusSchema, create(StatusSchema, { code, message, details }))).toString("base64");
}

describe("an error of the services", () => {
  test.each(["in the trailers", "in the headers"])("has its details (%s)", async (where) => {
    const fields = {
      "grpc-status": "3",
      "grpc-message": "cut",
      "grpc-status-details-bin": status(Code.InvalidArgument, "learning rate: too much"),
      "x-request-id": "17",
    };
    const error = await thrownBy((call) => {
      if (where === "in the headers") {
        call.response.writeHead(200, { "content-type": "application/grpc-web+proto", ...fields }).end();
      } else {
        begin(call);
        call.response.end(trailer(fields));
      }
    });
    expect(error).toMatchObject({
      name: "TunesmithError",
      message: "learning rate: too much",
      code: Code.InvalidArgument,
      violations: [{ fieldPath: "optimizer.learning_rate", message: "too much", reason: "double.lte" }],
      reason: "WRONG",
      metadata: { limit: "3" },
      requestId: "17",
    });
  });

  test("without details has its sentence", async () => {
    const error = await thrownBy((call) => {
      begin(call);
      call.response.end(trailer({ "grpc-status": "9", "grpc-message": "the job is over%3B create another" }));
    });
    expect(error).toMatchObject({
      message: "the job is over; create another",
      code: Code.FailedPrecondition,
      violations: [],
      reason: "",
      metadata: {},
    });
    expect(error.requestId).toBe("of-the-header");
  });

  test("of a stream that nobody watches over is one too", async () => {
    server = await serve((call) => {
      begin(call);
      call.response.end(trailer({ "grpc-status": "5", "grpc-message": "gone" }));
    });
    const stream = createTunesmith({ baseUrl: server.baseUrl }).jobs.downloadArtifact({ jobId: "a", artifactId: "b" });
    expect(await thrown(stream[Symbol.asyncIterator]().next())).toMatchObject({ code: Code.NotFound, message: "gone" });
  });
});

describe("a connection", () => {
  const message = frame(ListPoolsResponseSchema, create(ListPoolsResponseSchema));
  const broke = "broke before the answer was complete. Try again.";

  test("that can't be made", async () => {
    server = await serve(() => undefined);
    const { baseUrl } = server;
    await server.close();
    const error = await thrown(createTunesmith({ baseUrl }).pools.listPools({}));
    expect(error.message).toBe(
      `The server at ${baseUrl} does not answer. Start it with \`make up\`, or check the address and your network.`,
    );
    expect(error).toMatchObject({ code: Code.Unavailable, requestId: "" });
  });

  test("that a browser may have forbidden", async () => {
    vi.stubGlobal("location", { origin: "https://page.example", href: "https://page.example/x" });
    const fetch = () => Promise.reject(new TypeError("Failed to fetch"));
    const error = await thrown(createTunesmith({ baseUrl: "http://127.0.0.1:8080", fetch }).pools.listPools({}));
    expect(error.message).toContain("TUNESMITH_ALLOWED_ORIGINS names https://page.example");
  });

  test.each([
    ["before the answer", (call: Call) => void call.response.destroy(), "does not answer"],
    ["after the headers", (call: Call) => void (begin(call), setTimeout(() => call.response.destroy(), 20)), broke],
    [
      "within a message",
      (call: Call) => void (begin(call), call.response.write(message.subarray(0, 3), () => call.response.destroy())),
      broke,
    ],
    ["by a proxy, within a message", (call: Call) => void (begin(call), call.response.end(message.subarray(0, 3))), broke],
    ["by a proxy, before the trailers", (call: Call) => void (begin(call), call.response.end(message)), broke],
  ])("that breaks %s is tried again, for it may be that it holds", async (_, answer, sentence) => {
    server = await serve(answer);
    const error = await thrown(createTunesmith({ baseUrl: server.baseUrl }).pools.listPools({}));
    expect(error.message).toContain(sentence);
    expect(error.code).toBe(Code.Unavailable);
    expect(server.calls).toHaveLength(4);
  });

  test("that breaks once costs nothing but the time", async () => {
    server = await serve((call) => {
      begin(call);
      call.response.end(server!.calls.length === 1 ? message : Buffer.concat([message, OK]));
    });
    await expect(createTunesmith({ baseUrl: server.baseUrl }).pools.listPools({})).resolves.toMatchObject({ pools: [] });
  });

  test("to something else than Tunesmith", async () => {
    const error = await thrownBy(
      (call) => void call.response.writeHead(404, { "content-type": "text/html" }).end("<h1>Not here</h1>"),
    );
    expect(error.message).toMatch(/answered HTTP 404 to a gRPC-web call. Check that the address is the gateway's/);
  });

  test("that says nothing ends with the deadline", async () => {
    const error = await thrownBy(() => undefined, { timeoutMs: 5_000 });
    expect(error).toMatchObject({
      code: Code.DeadlineExceeded,
      message: expect.stringMatching(/took too long to answer. Try again/) as string,
    });
  });

  test("that the caller ends is closed", async () => {
    const ending = new AbortController();
    const error = await thrownBy(() => ending.abort(), { signal: ending.signal });
    expect(error.code).toBe(Code.Canceled);
    await server!.calls[0]!.closed;
  });
});

describe("toTunesmithError", () => {
  test("leaves one as it is", () => {
    const error = new TunesmithError("x", Code.NotFound);
    expect(toTunesmithError(error)).toBe(error);
    expect(toTunesmithError(ConnectError.from(error))).toBe(error);
  });

  test("has a sentence where connect has none, and does not print connect's error too", () => {
    const error = toTunesmithError(new ConnectError("", Code.Internal));
    expect(error).toMatchObject({ code: Code.Internal, message: "The call ended with code Internal." });
    expect(error.cause).toBeUndefined();
  });

  test.each([
    [new TypeError("x is undefined"), Code.Unknown, "x is undefined"],
    [new DOMException("stopped", "AbortError"), Code.Canceled, "stopped"],
    ["a string", Code.Unknown, "a string"],
  ])("makes one of %s", (error, code, message) => {
    expect(toTunesmithError(error)).toMatchObject({ name: "TunesmithError", code, message, cause: error });
  });
});
