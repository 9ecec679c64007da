// A watch against a real server whose answers are cut at random bytes: the consumer notices nothing but the delay.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { create } from "@bufbuild/protobuf";
import {
  Code,
  JobSchema,
  JobState,
  WatchJobRequestSchema,
  WatchJobResponseSchema,
  WatchJobsRequestSchema,
  WatchJobsResponseSchema,
  createTunesmith,
  type Connection,
  type WatchJobResponse,
} from "../src/index.js";
import { chance } from "./chance.js";
import { OK, begin, frame, received, serve, trailer, type Call, type Served } from "./grpc_web_server.js";
import { quickDelays } from "./quick_delays.js";

const EVENTS = 60;
const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);

let server: Served | undefined;

async function served(answer: (call: Call) => void | Promise<void>): Promise<Served> {
  server = await serve(answer);
  return server;
}

// A test of forty seeds would wait for minutes; the delays themselves are tested in silence.test.ts.
beforeEach(quickDelays);

afterEach(async () => {
  vi.unstubAllGlobals();
  await server?.close();
  server = undefined;
});

/** A job of 60 events and 60 metric points: what is after a place, in messages of up to five of each. */
function story(random: () => number, afterSequence: bigint, afterCursor: bigint): WatchJobResponse[] {
  const messages: WatchJobResponse[] = [];
  const following = (number: number) => Math.min(EVENTS, number + Math.floor(random() * 6));
  let [sequence, cursor] = [Number(afterSequence), Number(afterCursor)];
  while (sequence < EVENTS || cursor < EVENTS || messages.length === 0) {
    const [lastEvent, lastPoint] = [following(sequence), following(cursor)];
    const points = upTo(cursor, lastPoint).map((step) => ({ step: BigInt(step), value: 1 / step }));
    messages.push(
      create(WatchJobResponseSchema, {
        job: { id: "a", state: lastEvent === EVENTS ? JobState.SUCCEEDED : JobState.RUNNING },
        events: upTo(sequence, lastEvent).map((number) => ({ sequence: BigInt(number), message: `event ${number}` })),
        metrics: points.length ? [{ key: "train_loss", points }] : [],
        metricCursor: BigInt(lastPoint),
      }),
    );
    [sequence, cursor] = [lastEvent, lastPoint];
  }
  return messages;
}

/** The numbers after one, up to another. */
function upTo(after: number, last: number): number[] {
  return Array.from({ length: last - after }, (_, index) => after + 1 + index);
}

describe("a watched job", () => {
  test.each(SEEDS)("is told whole, once and in order, whatever breaks (seed %i)", async (seed) => {
    const random = chance(seed);
    let cuts = 0;
    const { baseUrl, calls } = await served(async (call) => {
      const { afterSequence, afterMetricCursor } = received(WatchJobRequestSchema, call);
      const bytes = Buffer.concat([
        ...story(random, afterSequence, afterMetricCursor).map((each) => frame(WatchJobResponseSchema, each)),
        OK,
      ]);
      const fate = random();
      if (fate < 0.15) {
        // A proxy that is up before what is behind it.
        cuts += 1;
        call.response.writeHead(503).end();
        return;
      }
      begin(call);
      if (fate < 0.85) {
        cuts += 1;
        const part = bytes.subarray(0, Math.floor(random() * Math.min(bytes.length - 1, 400)));
        const manner = random();
        if (manner < 0.4) {
          call.response.write(part, () => setTimeout(() => call.response.destroy(), 100));
        } else if (manner < 0.7) {
          call.response.end(part);
        } else {
          const whole = wholeFrames(bytes, part.length);
          call.response.end(
            Buffer.concat([whole, trailer({ "grpc-status": String(Code.Unavailable), "grpc-message": "stopping" })]),
          );
        }
        return;
      }
      for (let at = 0; at < bytes.length;) {
        const next = at + 1 + Math.floor(random() * 700);
        call.response.write(bytes.subarray(at, next));
        at = next;
      }
      call.response.end();
    });
    const connections: Connection[] = [];
    const messages: WatchJobResponse[] = [];
    const onConnection = (each: Connection) => void connections.push(each);
    // By itself it would stop after four failures before the first message, as it should.
    for await (const message of createTunesmith({ baseUrl }).watchJob("a", { onConnection, giveUpMs: 600_000 })) {
      messages.push(message);
    }
    const sequences = messages.flatMap(({ events }) => events).map(({ sequence }) => Number(sequence));
    const steps = messages.flatMap(({ metrics }) => metrics).flatMap(({ points }) => points.map(({ step }) => Number(step)));
    expect(sequences).toEqual(upTo(0, EVENTS));
    expect(steps).toEqual(upTo(0, EVENTS));
    expect(messages.at(-1)?.job?.state).toBe(JobState.SUCCEEDED);
    expect(connections.filter(({ state }) => state === "reconnecting")).toHaveLength(cuts);
    expect(calls).toHaveLength(cuts + 1);
    totalCuts += cuts;
  });

  let totalCuts = 0;
  test("was cut often enough for that to mean something", () => expect(totalCuts).toBeGreaterThan(3 * SEEDS.length));

  test("that is over by a message, but not by its stream, is asked once more", async () => {
    const last = create(WatchJobResponseSchema, {
      job: { state: JobState.FAILED },
      events: [{ sequence: 1n }, { sequence: 2n }],
    });
    const { baseUrl, calls } = await served((call) => {
      begin(call);
      const { afterSequence } = received(WatchJobRequestSchema, call);
      // The second time everything comes again, as from a server that forgot the place.
      call.response.write(frame(WatchJobResponseSchema, last));
      if (afterSequence === 0n) {
        setTimeout(() => call.response.destroy(), 5_000);
      } else {
        call.response.end(
          Buffer.concat([
            frame(
              WatchJobResponseSchema,
              create(WatchJobResponseSchema, { job: { state: JobState.FAILED }, events: [{ sequence: 3n }] }),
            ),
            OK,
          ]),
        );
      }
    });
    const seen: bigint[] = [];
    for await (const { events } of createTunesmith({ baseUrl }).watchJob("a")) {
      seen.push(...events.map(({ sequence }) => sequence));
    }
    expect(seen).toEqual([1n, 2n, 3n]);
    expect(calls).toHaveLength(2);
  });

  test("begins where the caller says", async () => {
    const { baseUrl, calls } = await served((call) => {
      begin(call);
      call.response.end(
        Buffer.concat([
          frame(WatchJobResponseSchema, create(WatchJobResponseSchema, { job: { state: JobState.CANCELLED } })),
          OK,
        ]),
      );
    });
    for await (const _ of createTunesmith({ baseUrl }).watchJob("a", { afterSequence: 7n, afterMetricCursor: 9n })) {
      // One message.
    }
    expect(received(WatchJobRequestSchema, calls[0]!)).toMatchObject({ id: "a", afterSequence: 7n, afterMetricCursor: 9n });
    expect(calls[0]!.headers["grpc-timeout"]).toBeUndefined();
  });

  test("asks for a thinned past until it has a cursor", async () => {
    const { baseUrl, calls } = await served((call) => {
      begin(call);
      const state = calls.length === 4 ? JobState.SUCCEEDED : JobState.RUNNING;
      // One without a message, one whose message moves no cursor, then one that does.
      const metricCursor = calls.length > 2 ? 70n : 0n;
      const message = frame(WatchJobResponseSchema, create(WatchJobResponseSchema, { job: { state }, metricCursor }));
      call.response.end(calls.length === 1 ? undefined : Buffer.concat([message, OK]));
    });
    for await (const _ of createTunesmith({ baseUrl }).watchJob("a", { maxPointsPerSeries: 50 })) {
      // Three messages.
    }
    const asked = calls.map((call) => received(WatchJobRequestSchema, call));
    expect(asked.map(({ afterMetricCursor, maxPointsPerSeries }) => [afterMetricCursor, maxPointsPerSeries])).toEqual([
      [0n, 50],
      [0n, 50],
      [0n, 50],
      [70n, 0],
    ]);
    for await (const _ of createTunesmith({ baseUrl }).watchJob("a", { maxPointsPerSeries: 50, afterMetricCursor: 9n })) {
      break;
    }
    expect(received(WatchJobRequestSchema, calls.at(-1)!)).toMatchObject({ afterMetricCursor: 9n, maxPointsPerSeries: 0 });
  });

  test("that the server refuses is an error at once", async () => {
    const { baseUrl, calls } = await served((call) => {
      begin(call);
      call.response.end(trailer({ "grpc-status": "5", "grpc-message": "job%20'a'%20does%20not%20exist", "x-request-id": "7" }));
    });
    const watch = createTunesmith({ baseUrl }).watchJob("a")[Symbol.asyncIterator]();
    await expect(watch.next()).rejects.toMatchObject({
      name: "TunesmithError",
      code: Code.NotFound,
      message: "job 'a' does not exist",
      requestId: "7",
    });
    await expect(watch.next()).resolves.toMatchObject({ done: true });
    expect(calls).toHaveLength(1);
  });

  test("that is refused later is an error too", async () => {
    const { baseUrl, calls } = await served((call) => {
      begin(call);
      if (calls.length === 1) {
        call.response.end(frame(WatchJobResponseSchema, create(WatchJobResponseSchema, { job: { state: JobState.RUNNING } })));
      } else {
        call.response.end(trailer({ "grpc-status": "7", "grpc-message": "no" }));
      }
    });
    const watch = createTunesmith({ baseUrl }).watchJob("a")[Symbol.asyncIterator]();
    expect((await watch.next()).done).toBe(false);
    await expect(watch.next()).rejects.toMatchObject({ code: Code.PermissionDenied });
  });

  test("of a server that is not there is an error after four tries, or when the caller says", async () => {
    const { baseUrl, close } = await served(() => undefined);
    await close();
    const tries: Connection[] = [];
    const onConnection = (each: Connection) => void tries.push(each);
    const first = createTunesmith({ baseUrl }).watchJob("a", { onConnection })[Symbol.asyncIterator]().next();
    await expect(first).rejects.toMatchObject({
      code: Code.Unavailable,
      message: expect.stringContaining("does not answer") as string,
    });
    expect(tries.map(({ state, attempt }) => `${state} ${attempt}`)).toEqual([
      "connecting 0",
      "reconnecting 1",
      "reconnecting 2",
      "reconnecting 3",
    ]);
    tries.length = 0;
    const second = createTunesmith({ baseUrl }).watchJob("a", { onConnection, giveUpMs: 60_000 })[Symbol.asyncIterator]().next();
    await expect(second).rejects.toMatchObject({ code: Code.Unavailable });
    expect(tries.length).toBeGreaterThan(12);
  });

  test("is given up with a sentence that says what to do", async () => {
    const { baseUrl, calls, close } = await served((call) => {
      begin(call);
      call.response.write(frame(WatchJobResponseSchema, create(WatchJobResponseSchema, { job: { state: JobState.RUNNING } })));
    });
    const watch = createTunesmith({ baseUrl }).watchJob("a", { giveUpMs: 1_000 })[Symbol.asyncIterator]();
    await watch.next();
    await close();
    await expect(watch.next()).rejects.toThrow(
      /^Nothing is heard of job a any more; it may still run, so watch it again later\. The server at /,
    );
    expect(calls).toHaveLength(1);
  });
});

describe("ending a watch", () => {
  const message = create(WatchJobResponseSchema, { job: { state: JobState.RUNNING }, events: [{ sequence: 1n }] });
  const speaks = (call: Call) => {
    begin(call);
    call.response.write(frame(WatchJobResponseSchema, message));
  };

  test("by the signal ends the iteration and the connection, also while it waits", async () => {
    const { baseUrl, calls } = await served(speaks);
    const ending = new AbortController();
    const seen: unknown[] = [];
    for await (const each of createTunesmith({ baseUrl }).watchJob("a", { signal: ending.signal })) {
      seen.push(each);
      setTimeout(() => ending.abort(), 5_000);
    }
    expect(seen).toHaveLength(1);
    await calls[0]!.closed;
  });

  test("by a signal that was aborted before calls nobody", async () => {
    const { baseUrl, calls } = await served(speaks);
    const watch = createTunesmith({ baseUrl }).watchJob("a", { signal: AbortSignal.abort() });
    await expect(watch[Symbol.asyncIterator]().next()).resolves.toMatchObject({ done: true });
    expect(calls).toHaveLength(0);
  });

  test("by break ends the connection", async () => {
    const { baseUrl, calls } = await served(speaks);
    for await (const _ of createTunesmith({ baseUrl }).watchJob("a")) {
      break;
    }
    await calls[0]!.closed;
  });

  test("by return() answers the message that is waited for", async () => {
    const { baseUrl, calls } = await served(speaks);
    const watch = createTunesmith({ baseUrl }).watchJob("a")[Symbol.asyncIterator]();
    await watch.next();
    const waiting = watch.next();
    await expect(watch.return?.()).resolves.toMatchObject({ done: true });
    await expect(waiting).resolves.toMatchObject({ done: true });
    await calls[0]!.closed;
  });

  test("while it waits to try again", async () => {
    const { baseUrl } = await served((call) => void call.response.destroy());
    const ending = new AbortController();
    const onConnection = ({ state }: Connection) => void (state === "reconnecting" && ending.abort());
    const watch = createTunesmith({ baseUrl }).watchJob("a", { signal: ending.signal, onConnection });
    await expect(watch[Symbol.asyncIterator]().next()).resolves.toMatchObject({ done: true });
  });

  test("leaves no listener on the signal", async () => {
    const { baseUrl } = await served(speaks);
    const { signal } = new AbortController();
    const listeners = new Set<unknown>();
    vi.spyOn(signal, "addEventListener").mockImplementation((_, listener) => void listeners.add(listener));
    vi.spyOn(signal, "removeEventListener").mockImplementation((_, listener) => void listeners.delete(listener));
    for await (const _ of createTunesmith({ baseUrl }).watchJob("a", { signal })) {
      expect(listeners.size).toBe(1);
      break;
    }
    expect(listeners.size).toBe(0);
  });
});

describe("all watched jobs", () => {
  test("come from the last cursor on, over broken streams, until the caller ends it", async () => {
    const { baseUrl, calls } = await served((call) => {
      begin(call);
      const { afterCursor } = received(WatchJobsRequestSchema, call);
      const cursor = afterCursor + 1n;
      call.response.end(
        frame(
          WatchJobsResponseSchema,
          create(WatchJobsResponseSchema, { jobs: [create(JobSchema, { id: `job ${cursor}` })], cursor }),
        ),
      );
    });
    const ending = new AbortController();
    const seen: string[] = [];
    for await (const { jobs } of createTunesmith({ baseUrl }).watchJobs({ signal: ending.signal, afterCursor: 40n })) {
      seen.push(...jobs.map(({ id }) => id));
      if (seen.length === 25) {
        ending.abort();
      }
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `job ${41 + index}`));
    expect(calls).toHaveLength(25);
  });

  test("are waited for until there is a server, unless the caller says how long", async () => {
    const { baseUrl, calls } = await served((call) => {
      begin(call);
      call.response.end(
        trailer(
          calls.length < 12 ? { "grpc-status": "14", "grpc-message": "away" } : { "grpc-status": "3", "grpc-message": "wrong" },
        ),
      );
    });
    const begun = (giveUpMs?: number) =>
      createTunesmith({ baseUrl })
        .watchJobs(giveUpMs === undefined ? {} : { giveUpMs })
        [Symbol.asyncIterator]()
        .next();
    await expect(begun(0)).rejects.toMatchObject({ code: Code.Unavailable });
    expect(calls).toHaveLength(1);
    await expect(begun()).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(calls).toHaveLength(12);
  });
});

/** The frames that end at or before a byte. */
function wholeFrames(bytes: Buffer, until: number): Buffer {
  let at = 0;
  while (at + 5 <= until && at + 5 + bytes.readUInt32BE(at + 1) <= until) {
    at += 5 + bytes.readUInt32BE(at + 1);
  }
  return bytes.subarray(0, at);
}
