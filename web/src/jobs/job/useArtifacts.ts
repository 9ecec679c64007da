import { useQuery } from "@tanstack/react-query";
import { type ArtifactSet, listArtifactSets } from "../../monitor/artifactSets.js";
import { useTunesmith } from "../../ui/tunesmith.js";

/**
 * The sets a job made. They are asked for again when `news` changes: when an event tells of a further set, or the job has ended.
 * In between nobody asks, nor while `news` is undefined.
 */
export function useArtifacts(
  jobId: string,
  news: string | undefined,
): { sets: ArtifactSet[] | undefined; error: unknown; retry: () => void } {
  const { jobs } = useTunesmith();
  const { data, error, refetch } = useQuery({
    queryKey: ["artifacts", jobId, news],
    queryFn: ({ signal }) => listArtifactSets(jobs, jobId, signal),
    enabled: news !== undefined,
    // What was listed stays on screen until the new list is there.
    placeholderData: (before) => before,
    staleTime: Infinity,
  });
  return { sets: data, error, retry: () => void refetch() };
}
