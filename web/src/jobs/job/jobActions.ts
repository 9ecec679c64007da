import { clone } from "@bufbuild/protobuf";
import { type Job, JobSchema, JobState } from "@tunesmith/sdk";

/** What a person can ask of a job. */
export type JobAction = "pause" | "resume" | "cancel";

/** What its state allows, as `job_state.proto` has the transitions. */
export function allowedActions({ state, pauseRequested }: Job): JobAction[] {
  switch (state) {
    case JobState.QUEUED:
      return ["pause", "cancel"];
    case JobState.RUNNING:
      return [pauseRequested ? "resume" : "pause", "cancel"];
    case JobState.PAUSED:
      return ["resume", "cancel"];
    default:
      return [];
  }
}

/** The job as it will stand if the server agrees: shown until it has answered. */
export function expectedJob(job: Job, action: JobAction): Job {
  const expected = clone(JobSchema, job);
  const runs = job.state === JobState.RUNNING;
  if (action === "cancel") {
    expected.state = runs ? JobState.CANCELLING : JobState.CANCELLED;
  } else if (action === "pause") {
    expected.state = runs ? job.state : JobState.PAUSED;
    expected.pauseRequested = runs;
  } else {
    expected.state = runs ? job.state : JobState.QUEUED;
    expected.pauseRequested = false;
  }
  return expected;
}
