import { Code, ConnectError } from "@connectrpc/connect";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import { JobEventType, JobService, JobState, type WatchJobRequest, type WatchJobResponse } from "@tunesmith/sdk";
import { afterEach, expect, test } from "vitest";
import { Monitor } from "../../src/monitor/Monitor.js";
import { TunesmithProvider } from "../../src/ui/tunesmith.js";
import { eventOf, jobAt, messageOf } from "./messages.js";
import { clientOf, Line } from "./streams.js";

afterEach(cleanup);

/** A monitor of job-1 whose streams are these lines, one after the other. */
function monitorOf(...lines: Line<WatchJobResponse>[]) {
  const asked: WatchJobRequest[] = [];
  const signals: AbortSignal[] = [];
  const client = clientOf((router) =>
    router.rpc(JobService.method.watchJob, async function* (request, { signal }) {
      const line = lines[asked.length];
      asked.push(request);
      signals.push(signal);
      if (line) {
        yield* line.read(signal);
      }
    }),
  );
  const view = render(
    <TunesmithProvider value={client}>
      <Monitor jobId="job-1" />
    </TunesmithProvider>,
  );
  return { asked, signals, ...view };
}

const latestLoss = () => screen.getByTestId("latest-loss").textContent;

test("shows what streams in: state, steps, figures, events", async () => {
  const line = new Line<WatchJobResponse>();
  monitorOf(line);
  line.put(
    messageOf({
      job: jobAt(JobState.RUNNING, 1, {
        progress: 0.25,
        step: 10n,
        totalSteps: 40n,
        epoch: 0.5,
        attempt: 2,
        estimatedRemainingSeconds: 60,
      }),
      events: [
        eventOf(1, JobEventType.CREATED, "Queued"),
        eventOf(2, JobEventType.FIELD_DROPPED, "hardware.count does not act here"),
      ],
      points: {
        train_loss: [
          [9, 3.25],
          [10, 3.125],
        ],
        memory_bytes: [[10, 1.5e9]],
        something_new: [[10, 1]],
      },
      cursor: 1,
    }),
  );
  await screen.findByText("pico on alpaca");
  expect(latestLoss()).toBe("3.125");
  expect(screen.getByText("25 %")).toBeTruthy();
  expect(screen.getByRole("region", { name: "Progress" }).textContent).toContain("step 10 of 40");
  expect(screen.getByRole("region", { name: "Progress" }).textContent).toContain("attempt 2");
  expect(screen.getByRole("region", { name: "Progress" }).textContent).toContain("1 min 0 s left, estimated");
  expect(screen.getByTestId("memory").parentElement?.textContent).toBe("1.50 GBmeasured");
  // Six seconds a step, by the estimate of what is left.
  expect(screen.getByTestId("step-time").parentElement?.textContent).toBe("2 sestimated");
  expect(screen.getByRole("log").querySelectorAll("li")).toHaveLength(2);
  expect(screen.getByText("A field of its configuration does not act:")).toBeTruthy();
  expect(screen.getAllByRole("figure").map((figure) => figure.dataset.chart)).toEqual([
    "train_loss",
    "memory_bytes",
    "something_new",
  ]);
  line.put(messageOf({ points: { train_loss: [[11, 3]], eval_loss: [[10, 4]] }, cursor: 2 }));
  await waitFor(() => expect(latestLoss()).toBe("3"));
  expect(screen.getByTestId("evaluation-loss").textContent).toBe("4");
});

test("a stream that broke is taken up where it was, and nothing is shown twice", async () => {
  const [first, second] = [new Line<WatchJobResponse>(), new Line<WatchJobResponse>()];
  const { asked } = monitorOf(first, second);
  first.put(
    messageOf({ job: jobAt(JobState.RUNNING, 1), events: [eventOf(1), eventOf(2)], points: { train_loss: [[1, 5]] }, cursor: 7 }),
  );
  await screen.findByText("event 2");
  first.fail(new ConnectError("gone", Code.Unavailable));
  second.put(
    messageOf({ job: jobAt(JobState.RUNNING, 2), events: [eventOf(2), eventOf(3)], points: { train_loss: [[2, 4]] }, cursor: 8 }),
  );
  await screen.findByText("event 3");
  expect(asked.map(({ afterSequence, afterMetricCursor }) => [afterSequence, afterMetricCursor])).toEqual([
    [0n, 0n],
    [2n, 7n],
  ]);
  expect(screen.getByRole("log").querySelectorAll("li")).toHaveLength(3);
  expect(latestLoss()).toBe("4");
});

test("a job that is over is shown as such, and its stream is not opened again", async () => {
  const line = new Line<WatchJobResponse>();
  const { asked } = monitorOf(line);
  line.put(
    messageOf({
      job: jobAt(JobState.FAILED, 9, {
        error: {
          $typeName: "google.rpc.Status",
          code: Code.DataLoss,
          message: "The rows changed; upload them again.",
          details: [],
        },
      }),
      events: [eventOf(1, JobEventType.FAILED, "The rows changed; upload them again.")],
    }),
  );
  line.end();
  expect((await screen.findByRole("alert")).textContent).toBe("It failed (data loss). The rows changed; upload them again.");
  expect(screen.getByText("Failed", { selector: ".badge" })).toBeTruthy();
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(asked).toHaveLength(1);
});

test("a job that is not there is said to be, with what to do", async () => {
  const line = new Line<WatchJobResponse>();
  monitorOf(line);
  line.fail(new ConnectError("job job-1 does not exist", Code.NotFound));
  expect((await screen.findByRole("alert")).textContent).toContain("There is no job job-1 here.");
});

test("the stream ends with the component", async () => {
  const line = new Line<WatchJobResponse>();
  const { signals, unmount } = monitorOf(line);
  line.put(messageOf({ job: jobAt(JobState.RUNNING, 1) }));
  await screen.findByText("pico on alpaca");
  expect(signals[0]!.aborted).toBe(false);
  unmount();
  await waitFor(() => expect(signals[0]!.aborted).toBe(true));
});
