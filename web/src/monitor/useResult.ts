import { type Job, JobState } from "@tunesmith/sdk";
import { useEffect, useState } from "react";
import { useTunesmith } from "../ui/tunesmith.js";
import { type ArtifactSet, isResult, listArtifactSets } from "./artifactSets.js";

/** What a job was run for, once it succeeded. A failed call shows nothing: the curves matter more than an error about a link. */
export function useResult(job: Job | undefined): ArtifactSet | undefined {
  const { jobs } = useTunesmith();
  const [result, setResult] = useState<ArtifactSet>();
  const jobId = job?.state === JobState.SUCCEEDED ? job.id : undefined;
  useEffect(() => {
    if (jobId === undefined) {
      return undefined;
    }
    const ending = new AbortController();
    listArtifactSets(jobs, jobId, ending.signal)
      .then((sets) => setResult(sets.find(isResult)))
      .catch(() => undefined);
    return () => ending.abort();
  }, [jobs, jobId]);
  return result;
}
