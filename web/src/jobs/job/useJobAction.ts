import type { Job } from "@tunesmith/sdk";
import { useState } from "react";
import type { WatchedJob } from "../../monitor/useWatchedJob.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { expectedJob, type JobAction } from "./jobActions.js";

/** A job with what was just asked of it. */
export interface ActedJob {
  /** As it stands, or as it will if the server agrees to what is asked. */
  job: Job | undefined;
  pending: JobAction | undefined;
  /** Why the server did not agree; the job is shown as it was. */
  error: unknown;
  act(action: JobAction): void;
}

/** Asks a job to pause, to go on or to end, and shows at once what will become of it. */
export function useJobAction(watched: WatchedJob): ActedJob {
  const { jobs } = useTunesmith();
  const [pending, setPending] = useState<JobAction>();
  const [error, setError] = useState<unknown>();
  const { job } = watched.model;
  const act = async (action: JobAction) => {
    setPending(action);
    setError(undefined);
    try {
      const request = { id: watched.id };
      const answer = await (action === "pause"
        ? jobs.pauseJob(request)
        : action === "resume"
          ? jobs.resumeJob(request)
          : jobs.cancelJob(request));
      if (answer.job) {
        watched.takeJob(answer.job);
      }
    } catch (refusal) {
      setError(refusal);
    } finally {
      setPending(undefined);
    }
  };
  return { job: job && pending ? expectedJob(job, pending) : job, pending, error, act: (action) => void act(action) };
}
