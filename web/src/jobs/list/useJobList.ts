import { keepPreviousData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { JobView } from "@tunesmith/sdk";
import { useEffect, useMemo } from "react";
import { useTunesmith } from "../../ui/tunesmith.js";
import { feedOf, listKey } from "./feed.js";
import type { JobFilter } from "./filter.js";
import { flatten, type JobPage } from "./merge.js";

export const PAGE_SIZE = 200;

/** The jobs that a filter leaves, as far as they were loaded. The stream keeps them fresh, so nothing is read twice. */
export function useJobList(filter: JobFilter) {
  const tunesmith = useTunesmith();
  const client = useQueryClient();
  const feed = feedOf(client);
  const query = useInfiniteQuery({
    queryKey: listKey(filter),
    initialPageParam: "",
    queryFn: async ({ pageParam, signal }): Promise<JobPage> => {
      await feed.begun();
      const { jobs, nextPageToken } = await tunesmith.jobs.listJobs(
        { pageSize: PAGE_SIZE, pageToken: pageParam, view: JobView.BASIC, ...filter },
        { signal },
      );
      return { jobs, nextPageToken };
    },
    getNextPageParam: (last) => last.nextPageToken || undefined,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    refetchOnReconnect: false,
    // Comparing thousands of jobs field by field takes longer than showing them.
    structuralSharing: false,
  });
  const pages = query.data?.pages.length ?? 0;
  useEffect(() => feed.catchUp(), [feed, pages]);
  // Once for each page and each change; not while somebody scrolls.
  const jobs = useMemo(() => flatten(query.data), [query.data]);
  return { ...query, jobs };
}
