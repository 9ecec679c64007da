import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { cleanup, screen, waitFor, within } from "@testing-library/react";
import { ArtifactKind, FieldLoweringSchema, JobConfigurationSchema, JobEventType, JobState, LoweringAction } from "@tunesmith/sdk";
import { afterEach, expect, test } from "vitest";
import { eventOf, jobAt, messageOf } from "../monitor/messages.js";
import { artifact, page } from "./plant.js";

afterEach(cleanup);

const badge = () => document.querySelector(".badge")?.textContent;
const buttons = () => ["Pause", "Resume", "Cancel job"].filter((name) => screen.queryByRole("button", { name }));

test.each([
  [JobState.QUEUED, {}, ["Pause", "Cancel job"]],
  [JobState.RUNNING, {}, ["Pause", "Cancel job"]],
  [JobState.RUNNING, { pauseRequested: true }, ["Resume", "Cancel job"]],
  [JobState.PAUSED, {}, ["Resume", "Cancel job"]],
  [JobState.CANCELLING, {}, []],
  [JobState.SUCCEEDED, {}, []],
  [JobState.FAILED, {}, []],
  [JobState.CANCELLED, {}, []],
])("in state %s %o a person can %o", async (state, more, expected) => {
  page(jobAt(state, 1, more));
  await screen.findByRole("heading", { level: 1, name: "pico on alpaca" });
  expect(buttons()).toEqual(expected);
  const again = screen.queryByRole("link", { name: "Run again" });
  expect(again?.getAttribute("href")).toBe(
    [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED].includes(state) ? "/jobs/new?from=job-1" : undefined,
  );
});

test("a resumed job is queued at once, and paused again with the reason if the server refuses", async () => {
  let refuse: (error: unknown) => void = () => {};
  const { user } = page(jobAt(JobState.PAUSED, 1), { resumeJob: () => new Promise((_, reject) => (refuse = reject)) });
  await user.click(await screen.findByRole("button", { name: "Resume" }));
  expect(badge()).toBe("Queued");
  await waitFor(() => expect(refuse).not.toBe(undefined));
  await new Promise((resolve) => setTimeout(resolve, 50));
  refuse(new ConnectError("the job is over; create another", Code.FailedPrecondition));
  expect((await screen.findByRole("alert")).textContent).toBe("the job is over; create another");
  expect(badge()).toBe("Paused");
  expect(buttons()).toEqual(["Resume", "Cancel job"]);
});

test("a running job is cancelled only after a second word, and stands as the server answers", async () => {
  const asked: string[] = [];
  const { user } = page(jobAt(JobState.RUNNING, 1), {
    cancelJob: ({ id }) => {
      asked.push(id);
      return { job: jobAt(JobState.CANCELLING, 2) };
    },
  });
  await user.click(await screen.findByRole("button", { name: "Cancel job" }));
  expect(asked).toEqual([]);
  await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Let it go on" }));
  expect(asked).toEqual([]);
  await user.click(screen.getByRole("button", { name: "Cancel job" }));
  await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Cancel the job" }));
  expect(badge()).toBe("Cancelling");
  await waitFor(() => expect(asked).toEqual(["job-1"]));
  await waitFor(() => expect(buttons()).toEqual([]));
  expect(badge()).toBe("Cancelling");
});

test("artifacts are listed anew when a set was added, and not otherwise", async () => {
  let listed = 0;
  const { line } = page(jobAt(JobState.RUNNING, 1), {
    listArtifacts: () => {
      listed += 1;
      return { artifacts: listed === 1 ? [] : [artifact("aa", "checkpoint-20/a.safetensors", ArtifactKind.CHECKPOINT, 20)] };
    },
  });
  await screen.findByText(/None yet/);
  line.put(
    messageOf({ job: jobAt(JobState.RUNNING, 2), events: [eventOf(1, JobEventType.STAGE)], points: { train_loss: [[1, 2]] } }),
  );
  await screen.findByText("event 1");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(listed).toBe(1);
  line.put(messageOf({ job: jobAt(JobState.RUNNING, 3), events: [eventOf(2, JobEventType.ARTIFACTS_ADDED)] }));
  await screen.findByRole("heading", { name: "checkpoint-20" });
  expect(listed).toBe(2);
});

test("a job that succeeded offers its adapter, each file, and the commands that follow", async () => {
  page(
    jobAt(JobState.SUCCEEDED, 1, {
      predicted: { $typeName: "tunesmith.job.v1.JobFigures", peakMemoryBytes: 1_000_000_000n },
      measured: { $typeName: "tunesmith.job.v1.JobFigures", peakMemoryBytes: 1_100_000_000n, stepSeconds: 0.05 },
    }),
    {
      listArtifacts: () => ({
        artifacts: [
          artifact("c1", "checkpoint-20/adapter_model.safetensors", ArtifactKind.CHECKPOINT, 20),
          artifact("c2", "checkpoint-40/adapter_model.safetensors", ArtifactKind.CHECKPOINT),
          artifact("a1", "adapter/adapter_config.json", ArtifactKind.ADAPTER),
          artifact("a2", "adapter/adapter_model.safetensors", ArtifactKind.ADAPTER),
        ],
      }),
    },
  );
  await screen.findByRole("heading", { name: "It is done" });
  expect(screen.getAllByRole("link", { name: "Download adapter" }).map((link) => link.getAttribute("href"))).toEqual(
    Array(2).fill("http://tunesmith.test/v1/artifacts/a1/set:download"),
  );
  const artifacts = document.getElementById("artifacts")!;
  expect([...artifacts.querySelectorAll("h3")].map((heading) => heading.textContent)).toEqual([
    "adapter",
    "checkpoint-40",
    "checkpoint-20",
  ]);
  expect(within(artifacts).getByRole("link", { name: "adapter_config.json" }).getAttribute("href")).toBe(
    "http://tunesmith.test/v1/jobs/job-1/artifacts/a1:download",
  );
  expect(screen.getByText(/jobs download job-1 --to out/)).toBeTruthy();
  const expected = within(screen.getByRole("region", { name: "Expected and measured" })).getAllByRole("row");
  expect(expected.map((row) => row.textContent)).toEqual(["FigureExpectedMeasuredDifference", "Peak memory1.00 GB1.10 GB+10 %"]);
  expect(document.title).toBe("Succeeded · pico on alpaca · Tunesmith");
});

test("the configuration shows what was defaulted and what became of each field", async () => {
  page(
    jobAt(JobState.RUNNING, 1, {
      spec: { case: "configuration", value: create(JobConfigurationSchema, { optimizer: { learningRate: 0.001 } }) },
      resolvedSpec: {
        case: "resolvedConfiguration",
        value: create(JobConfigurationSchema, { optimizer: { learningRate: 0.001, weightDecay: 0.5 } }),
      },
      lowering: [
        create(FieldLoweringSchema, {
          fieldPath: "optimizer.learning_rate",
          action: LoweringAction.DROPPED,
          detail: "it has none",
        }),
      ],
    }),
  );
  await screen.findByRole("heading", { name: "Configuration" });
  const rows = [...document.querySelectorAll("#configuration tbody tr")].map((row) => row.textContent);
  expect(rows).toEqual(["optimizer.learning_rate0.001 DROPPEDit has none", "optimizer.weight_decay0.5 default"]);
});

test("a job that is not there has a page that says what to do", async () => {
  page(new ConnectError("job job-1 does not exist", Code.NotFound));
  await screen.findByRole("heading", { level: 1, name: "There is no such job" });
  expect(screen.getByRole("link", { name: "See all jobs" }).getAttribute("href")).toBe("/jobs");
});
