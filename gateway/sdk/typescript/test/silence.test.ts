// What a watch does when nothing comes: on a clock of the test's own, with a server in memory.
import { create } from "@bufbuild/protobuf";
import { ConnectError, createRouterTransport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  Code,
  JobService,
  JobState,
  WatchJobResponseSchema,
  createTunesmith,
  type Connection,
  type WatchJobResponse,
} from "../src/index.js";

const RUNNING = create(WatchJobResponseSchema, { job: { state: JobState.RUNNING } });
const OVER = create(WatchJobResponseSchema, { job: { state: JobState.SUCCEEDED } });

beforeEach(() => void vi.useFakeTimers());

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** A watch whose streams are given one after the other, and the calls that it made. */
function watched(...streams: Stream[]) {
  return watchedFor(undefined, ...streams);
}

type Stream = (signal: AbortSignal) => AsyncIterable<WatchJobResponse>;

function watchedFor(giveUpMs: number | undefined, ...streams: Stream[]) {
  const begun: number[] = [];
  const ended: AbortSignal[] = [];
  const connections: Connection[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(JobService, {
      async *watchJob(_, { signal }) {
        ended.push(signal);
        yield* streams[begun.push(Date.now()) - 1]!(signal);
      },
    });
  });
  const options = {
    onConnection: (each: Connection) => void connections.push(each),
    ...(giveUpMs === undefined ? {} : { giveUpMs }),
  };
  const iterator = createTunesmith({ transport }).watchJob("a", options)[Symbol.asyncIterator]();
  return { iterator, begun, ended, connections };
}

async function* says(...messages: WatchJobResponse[]): AsyncGenerator<WatchJobResponse> {
  yield* messages;
}

/** Says something, and then nothing more, as a connection that a sleeping laptop left behind. */
async function* fallsSilent(signal: AbortSignal, ...messages: WatchJobResponse[]): AsyncGenerator<WatchJobResponse> {
  yield* messages;
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
}

describe("silence", () => {
  test("of 45 seconds is a broken stream, and no less is", async () => {
    const { iterator, begun, ended, connections } = watched(
      (signal) => fallsSilent(signal, RUNNING),
      () => says(OVER),
    );
    await iterator.next();
    const next = iterator.next();
    await vi.advanceTimersByTimeAsync(44_900);
    expect(begun).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(400);
    expect(begun).toHaveLength(2);
    expect(ended[0]!.aborted).toBe(true);
    expect((await next).value).toMatchObject({ job: { state: JobState.SUCCEEDED } });
    expect(connections.map(({ state }) => state)).toEqual(["connecting", "live", "reconnecting", "live"]);
    expect(connections[2]).toMatchObject({
      attempt: 1,
      error: { message: "The server said nothing for 45 s, so the connection counts as broken. Check your network." },
    });
    expect((await iterator.next()).done).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("of the reader is not silence of the server", async () => {
    const { iterator, begun } = watched(() => says(RUNNING, RUNNING, OVER));
    await iterator.next();
    await vi.advanceTimersByTimeAsync(3_600_000);
    await iterator.next();
    await iterator.next();
    expect((await iterator.next()).done).toBe(true);
    expect(begun).toHaveLength(1);
  });

  test("before the first message counts as well", async () => {
    const { iterator, begun } = watched(
      (signal) => fallsSilent(signal),
      () => says(OVER),
    );
    const next = iterator.next();
    await vi.advanceTimersByTimeAsync(45_300);
    expect(begun).toHaveLength(2);
    expect((await next).value).toMatchObject({ job: { state: JobState.SUCCEEDED } });
  });
});

describe("trying again", () => {
  const refuses = async function* (): AsyncGenerator<WatchJobResponse> {
    throw new ConnectError("away", Code.Unavailable);
  };

  test("waits 0.2 s at first, twice as long each time, never above 5 s, and begins anew once something was heard", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { iterator, begun } = watched(
      () => says(RUNNING),
      ...Array.from({ length: 8 }, () => refuses),
      () => says(RUNNING),
      () => says(OVER),
    );
    await iterator.next();
    const next = iterator.next();
    await vi.advanceTimersByTimeAsync(60_000);
    await next;
    const last = iterator.next();
    await vi.advanceTimersByTimeAsync(60_000);
    await last;
    const waits = begun.slice(1).map((time, index) => time - begun[index]!);
    expect(waits.slice(0, 9)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
    // The reader came back a minute after the message; then 0.2 s passed.
    expect(begun.at(-1)! - begun[0]! - 60_000).toBe(200);
  });

  test("waits longer, too, for a server whose streams break after their first message", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { iterator, begun } = watched(...Array.from({ length: 6 }, () => () => says(RUNNING)), () => says(OVER));
    for (let message = 0; message < 7; message += 1) {
      const next = iterator.next();
      await vi.advanceTimersToNextTimerAsync();
      await next;
    }
    expect(begun.slice(1).map((time, index) => time - begun[index]!)).toEqual([200, 400, 800, 1600, 3200, 5000]);
  });

  test("is given up after so long without a word, not after so much trouble in all", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { iterator, begun } = watchedFor(
      1_500,
      ...Array.from({ length: 20 }, () => () => says(RUNNING)),
      ...Array.from({ length: 9 }, () => refuses),
    );
    for (let message = 0; message < 20; message += 1) {
      const next = iterator.next();
      await vi.advanceTimersByTimeAsync(1_000);
      await next;
    }
    // 20 streams broke, which took 4 s in all. From here on: 0.2, 0.4, 0.8 s, and then it is too long.
    const last = expect(iterator.next()).rejects.toThrow(/^Nothing is heard of job a any more/);
    await vi.advanceTimersByTimeAsync(10_000);
    await last;
    expect(begun).toHaveLength(23);
  });

  test("is not waited for by a caller who has gone", async () => {
    const { iterator, begun } = watched(() => says(RUNNING), refuses);
    await iterator.next();
    const next = iterator.next();
    await vi.advanceTimersByTimeAsync(10);
    await iterator.return?.();
    expect((await next).done).toBe(true);
    expect(begun).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("does not count the time asleep", async () => {
    const { iterator, begun } = watchedFor(
      60_000,
      (signal) => fallsSilent(signal, RUNNING),
      () => says(OVER),
    );
    await iterator.next();
    const next = iterator.next();
    await vi.advanceTimersByTimeAsync(1);
    vi.setSystemTime(Date.now() + 8 * 3_600_000);
    await vi.advanceTimersByTimeAsync(46_000);
    expect((await next).value).toMatchObject({ job: { state: JobState.SUCCEEDED } });
    expect(begun).toHaveLength(2);
  });

  test("is not simultaneous for all clients", async () => {
    const first: number[] = [];
    for (let client = 0; client < 20; client += 1) {
      const { iterator, begun } = watched(
        () => says(RUNNING),
        () => says(OVER),
      );
      await iterator.next();
      const next = iterator.next();
      await vi.advanceTimersByTimeAsync(1_000);
      await next;
      first.push(begun[1]! - begun[0]!);
    }
    expect(Math.min(...first)).toBeGreaterThanOrEqual(100);
    expect(Math.max(...first)).toBeLessThanOrEqual(200);
    expect(new Set(first).size).toBeGreaterThan(5);
  });
});

describe("in a browser", () => {
  /** A window and a page as far as a watch looks at them. */
  function page(): { back(): void; seen(): void; listeners(): number } {
    const [window, document] = [new EventTarget(), Object.assign(new EventTarget(), { visibilityState: "visible" })];
    const listening = new Set<unknown>();
    for (const target of [window, document]) {
      const { addEventListener, removeEventListener } = target;
      target.addEventListener = (name: string, listener: EventListener) => {
        listening.add(listener);
        addEventListener.call(target, name, listener);
      };
      target.removeEventListener = (name: string, listener: EventListener) => {
        listening.delete(listener);
        removeEventListener.call(target, name, listener);
      };
    }
    vi.stubGlobal("addEventListener", window.addEventListener);
    vi.stubGlobal("removeEventListener", window.removeEventListener);
    vi.stubGlobal("document", document);
    return {
      back: () => void window.dispatchEvent(new Event("online")),
      seen: () => void document.dispatchEvent(new Event("visibilitychange")),
      listeners: () => listening.size,
    };
  }

  test.each(["back", "seen"] as const)("a delay ends when the network or the reader is %s", async (how) => {
    const browser = page();
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { iterator, begun } = watched(
      () => says(RUNNING),
      () => says(OVER),
    );
    await iterator.next();
    const next = iterator.next();
    await vi.advanceTimersByTimeAsync(50);
    expect(begun).toHaveLength(1);
    browser[how]();
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toHaveLength(2);
    await next;
    expect((await iterator.next()).done).toBe(true);
    expect(browser.listeners()).toBe(0);
  });

  test("a stream that has missed a word is not waited for once the reader is back", async () => {
    const browser = page();
    const { iterator, begun } = watched(
      (signal) => fallsSilent(signal, RUNNING),
      () => says(OVER),
    );
    await iterator.next();
    const next = iterator.next();
    await vi.advanceTimersByTimeAsync(19_000);
    browser.seen();
    await vi.advanceTimersByTimeAsync(500);
    expect(begun).toHaveLength(1);
    // The machine slept: its clock went on, its timers did not.
    vi.setSystemTime(Date.now() + 3_600_000);
    browser.seen();
    await vi.advanceTimersByTimeAsync(300);
    expect(begun).toHaveLength(2);
    expect((await next).value).toMatchObject({ job: { state: JobState.SUCCEEDED } });
  });
});
