import { cleanup, render, screen } from "@testing-library/react";
import { JobService, JobState, type WatchJobResponse } from "@tunesmith/sdk";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Monitor } from "../../src/monitor/Monitor.js";
import { TunesmithProvider } from "../../src/ui/tunesmith.js";
import { GRACE_MS } from "../../src/ui/useVisible.js";
import { eventOf, jobAt, messageOf } from "./messages.js";
import { clientOf, Line } from "./streams.js";

let visibility: DocumentVisibilityState = "visible";

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  vi.spyOn(document, "visibilityState", "get").mockImplementation(() => visibility);
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function turn(to: DocumentVisibilityState) {
  visibility = to;
  document.dispatchEvent(new Event("visibilitychange"));
}

test("a tab that nobody sees has no stream, and takes it up where it was when somebody looks again", async () => {
  const line = new Line<WatchJobResponse>();
  const streams: { after: bigint; cursor: bigint; most: number; signal: AbortSignal }[] = [];
  const client = clientOf((router) =>
    router.rpc(JobService.method.watchJob, async function* ({ afterSequence, afterMetricCursor, maxPointsPerSeries: most }, { signal }) {
      streams.push({ after: afterSequence, cursor: afterMetricCursor, most, signal });
      yield* line.read(signal);
    }),
  );
  render(
    <TunesmithProvider value={client}>
      <Monitor jobId="job-1" />
    </TunesmithProvider>,
  );
  line.put(messageOf({ job: jobAt(JobState.RUNNING, 1), events: [eventOf(1)], points: { train_loss: [[1, 5]] }, cursor: 3 }));
  await screen.findByText("event 1");
  turn("hidden");
  await vi.advanceTimersByTimeAsync(GRACE_MS - 500);
  expect(streams[0]!.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1000);
  await vi.waitFor(() => expect(streams[0]!.signal.aborted).toBe(true));
  expect(streams).toHaveLength(1);
  turn("visible");
  line.put(messageOf({ job: jobAt(JobState.RUNNING, 2), events: [eventOf(2)], points: { train_loss: [[2, 4.5]] }, cursor: 4 }));
  await screen.findByText("event 2");
  // The past comes thinned, what follows complete.
  expect(streams.map(({ after, cursor, most, signal }) => [after, cursor, most, signal.aborted])).toEqual([
    [0n, 0n, 2_000, true],
    [1n, 3n, 0, false],
  ]);
  expect(screen.getByTestId("latest-loss").textContent).toBe("4.5");
});
