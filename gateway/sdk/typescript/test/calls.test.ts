// What happens around a call that has one answer: names of writes, tries, deadlines.
import { create, type DescMethodUnary } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { ConnectError, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  AdapterService,
  CancelJobRequestSchema,
  Code,
  CreateJobRequestSchema,
  JobService,
  ParameterService,
  PoolService,
  PreflightService,
  ProviderService,
  RecipeService,
  RegistryService,
  TunesmithError,
  createTunesmith,
} from "../src/index.js";
import { isRepeatable } from "../src/request_ids.js";
import { carefulTransport } from "../src/transport.js";
import { quickDelays } from "./quick_delays.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const SERVICES = [
  JobService,
  RegistryService,
  RecipeService,
  AdapterService,
  PreflightService,
  PoolService,
  ParameterService,
  ProviderService,
];
const UNARY = SERVICES.flatMap(({ methods }) => methods).filter(
  (method): method is DescMethodUnary => method.methodKind === "unary",
);

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** A client whose every unary call is answered by one function. */
function answering(answer: (request: Record<string, unknown>, context: HandlerContext) => unknown) {
  const transport = createRouterTransport((router) => {
    for (const service of SERVICES) {
      const handlers = UNARY.filter(({ parent }) => parent === service).map((method) => [
        method.localName,
        async (request: unknown, context: HandlerContext) =>
          create(
            method.output,
            (await answer(request as Record<string, unknown>, context)) as Record<string, unknown> | undefined,
          ),
      ]);
      router.service(service, Object.fromEntries(handlers) as object);
    }
  });
  return createTunesmith({ transport });
}

/** The method of a client by its descriptor. */
function calling(client: ReturnType<typeof answering>, method: DescMethodUnary): (request: object) => Promise<unknown> {
  const { jobs, registry, recipes, adapters, preflight, pools, parameters, providers } = client;
  const clients = [jobs, registry, recipes, adapters, preflight, pools, parameters, providers];
  return (clients[SERVICES.indexOf(method.parent as never)] as unknown as Record<string, (request: object) => Promise<unknown>>)[
    method.localName
  ]!;
}

describe("a write's name", () => {
  const writes = UNARY.filter(({ input }) => "requestId" in input.field);

  test("is made for every write that takes one", async () => {
    const seen: string[] = [];
    const client = answering((request) => void seen.push(String(request.requestId)));
    for (const method of writes) {
      await calling(client, method)({});
    }
    expect(writes.map(({ localName }) => localName).sort()).toEqual([
      "cancelJob",
      "composeAdapters",
      "convertDataset",
      "createAdapter",
      "createBaseModel",
      "createJob",
      "createRecipe",
      "deleteAdapter",
      "deleteBaseModel",
      "deleteDataset",
      "deleteRecipe",
      "downloadBaseModel",
      "pauseJob",
      "resumeJob",
      "updateAdapter",
      "updateBaseModel",
      "updateDataset",
      "updateRecipe",
      "verifyDataset",
    ]);
    expect(seen.filter((id) => UUID.test(id))).toHaveLength(19);
    expect(new Set(seen).size).toBe(19);
  });

  test("stays the same over all tries", async () => {
    const seen: unknown[] = [];
    const client = answering(({ requestId }) => {
      if (seen.push(requestId) < 3) {
        throw new ConnectError("away", Code.Unavailable);
      }
    });
    await client.jobs.createJob({ provider: "local" });
    expect(seen).toHaveLength(3);
    expect(new Set(seen).size).toBe(1);
  });

  test("is the caller's if there is one, and the caller's object is left alone", async () => {
    const seen: unknown[] = [];
    const client = answering((request) => void seen.push(request));
    const message = create(CreateJobRequestSchema, { provider: "local" });
    const plain = { id: "a" };
    await client.jobs.createJob(message);
    await client.jobs.createJob(message);
    await client.jobs.cancelJob(plain);
    await client.jobs.cancelJob(create(CancelJobRequestSchema, { id: "a", requestId: "mine" }));
    expect(message.requestId).toBe("");
    expect(plain).toEqual({ id: "a" });
    expect(seen).toMatchObject([{ provider: "local" }, { provider: "local" }, { id: "a" }, { id: "a", requestId: "mine" }]);
    expect(new Set(seen.map((request) => (request as { requestId: string }).requestId)).size).toBe(4);
  });

  test("needs no randomUUID, which pages over plain HTTP don't have", async () => {
    const seen: unknown[] = [];
    const bytes = crypto.getRandomValues.bind(crypto);
    vi.stubGlobal("crypto", { getRandomValues: bytes });
    await answering(({ requestId }) => void seen.push(requestId)).jobs.pauseJob({ id: "a" });
    expect(seen).toEqual([expect.stringMatching(UUID)]);
  });
});

describe("a call that finds no server", () => {
  test("is tried four times in all", async () => {
    let tries = 0;
    const client = answering(() => {
      tries += 1;
      throw new ConnectError("away", Code.Unavailable);
    });
    await expect(client.jobs.getJob({ id: "a" })).rejects.toMatchObject({ code: Code.Unavailable, message: "away" });
    expect(tries).toBe(4);
  });

  test("is tried again whichever it is, for every one may be", async () => {
    quickDelays();
    expect(UNARY.filter(isRepeatable)).toHaveLength(UNARY.length);
    expect(UNARY).toHaveLength(47);
    for (const method of UNARY) {
      let tries = 0;
      const client = answering(() => {
        tries += 1;
        if (tries === 1) {
          throw new ConnectError("away", Code.Unavailable);
        }
      });
      await calling(client, method)({});
      expect(tries, method.localName).toBe(2);
    }
  });

  test("is tried once if a second time could do it twice", async () => {
    let tries = 0;
    const transport = createRouterTransport(({ rpc }) => {
      rpc(JobService.method.getJob, () => {
        tries += 1;
        throw new ConnectError("away", Code.Unavailable);
      });
    });
    const method = { ...JobService.method.getJob, idempotency: MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN } as const;
    const call = carefulTransport(transport, "http://x").unary(method, undefined, undefined, undefined, { id: "a" });
    await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
    expect(tries).toBe(1);
  });

  test("but gets another error is not tried again", async () => {
    for (const code of [
      Code.Internal,
      Code.InvalidArgument,
      Code.ResourceExhausted,
      Code.Aborted,
      Code.DeadlineExceeded,
      Code.Unknown,
    ]) {
      let tries = 0;
      const client = answering(() => {
        tries += 1;
        throw new ConnectError("no", code);
      });
      await expect(client.jobs.getJob({ id: "a" })).rejects.toMatchObject({ code });
      expect(tries, Code[code]).toBe(1);
    }
  });

  test("is not tried again once the caller has gone, who learns at once", async () => {
    vi.useFakeTimers();
    const gone = new AbortController();
    let tries = 0;
    const client = answering(() => {
      tries += 1;
      setTimeout(() => gone.abort("gone"), 50);
      throw new ConnectError("away", Code.Unavailable);
    });
    const call = expect(client.jobs.getJob({ id: "a" }, { signal: gone.signal })).rejects.toMatchObject({
      name: "TunesmithError",
      code: Code.Canceled,
    });
    await vi.advanceTimersByTimeAsync(51);
    await call;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(tries).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a deadline", () => {
  test.each([
    ["is 30 s", undefined, 30_000],
    ["is the caller's", 3_000, 3_000],
    ["comes never if the caller says 0", 0, undefined],
  ])("%s", async (_, timeoutMs, expected) => {
    vi.useFakeTimers();
    let ended = -1;
    let tries = 0;
    const begin = Date.now();
    // It hears nothing; then, as long as there is time, it is worth another try.
    const client = answering((_request, { signal }) => {
      tries += 1;
      return new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    const call = client.jobs.getJob({ id: "a" }, timeoutMs === undefined ? {} : { timeoutMs }).catch((error: unknown) => {
      ended = Date.now() - begin;
      expect(error).toBeInstanceOf(TunesmithError);
      expect(error).toMatchObject({
        code: Code.DeadlineExceeded,
        message: expect.stringContaining("longer timeoutMs") as string,
      });
    });
    await vi.advanceTimersByTimeAsync(3_600_000);
    if (expected !== undefined) {
      await call;
    }
    expect(ended).toBe(expected ?? -1);
    expect(tries).toBe(1);
  });

  test("is one for all tries", async () => {
    vi.useFakeTimers();
    const left: (number | undefined)[] = [];
    const client = answering((_, context) => {
      left.push(context.timeoutMs());
      throw new ConnectError("away", Code.Unavailable);
    });
    const call = expect(client.jobs.getJob({ id: "a" }, { timeoutMs: 500 })).rejects.toMatchObject({ code: Code.Unavailable });
    await vi.advanceTimersByTimeAsync(10_000);
    await call;
    expect(left.length).toBeGreaterThan(1);
    expect(left.length).toBeLessThan(4);
    expect(left.every((milliseconds, index) => index === 0 || milliseconds! < left[index - 1]!)).toBe(true);
  });
});
