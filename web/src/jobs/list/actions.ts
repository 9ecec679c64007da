import { clone } from "@bufbuild/protobuf";
import { type Job, JobSchema, JobState, type Tunesmith, type TunesmithError, toTunesmithError } from "@tunesmith/sdk";
import type { JobFeed } from "./feed.js";

export type Action = "cancel" | "pause" | "resume";

/** What a person can do with a job as it stands; services/job/domain.py has the same transitions. */
export function actionsOf(job: Job): Action[] {
  switch (job.state) {
    case JobState.QUEUED:
      return ["pause", "cancel"];
    case JobState.RUNNING:
      return [job.pauseRequested ? "resume" : "pause", "cancel"];
    case JobState.PAUSED:
      return ["resume", "cancel"];
    default:
      return [];
  }
}

/** How the job will stand if the server agrees. */
export function expected(job: Job, action: Action): Job {
  const running = job.state === JobState.RUNNING;
  const becomes = (change: Partial<Pick<Job, "state" | "pauseRequested">>) => Object.assign(clone(JobSchema, job), change);
  switch (action) {
    case "cancel":
      return becomes({ state: running ? JobState.CANCELLING : JobState.CANCELLED });
    case "pause":
      return becomes(running ? { pauseRequested: true } : { state: JobState.PAUSED });
    case "resume":
      return becomes(running ? { pauseRequested: false } : { state: JobState.QUEUED });
  }
}

/** Do it, shown at once and put back if the server refuses; answers the refusal. */
export async function act(tunesmith: Tunesmith, feed: JobFeed, job: Job, action: Action): Promise<TunesmithError | null> {
  const shown = expected(job, action);
  feed.apply([shown]);
  try {
    const { jobs } = tunesmith;
    const call = { cancel: jobs.cancelJob, pause: jobs.pauseJob, resume: jobs.resumeJob }[action];
    const { job: answered } = await call({ id: job.id });
    if (answered) {
      feed.apply([answered]);
    }
    return null;
  } catch (error) {
    // What the stream has said meanwhile is newer than what was shown before.
    if (feed.recent.get(job.id) === shown) {
      feed.apply([job]);
    }
    return toTunesmithError(error);
  }
}
