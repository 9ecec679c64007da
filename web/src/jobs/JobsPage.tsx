import "./list/list.css";
import { useQueryClient } from "@tanstack/react-query";
import type { Job, TunesmithError } from "@tunesmith/sdk";
import { useCallback, useMemo, useRef, useState } from "react";
import { useLocation, useSearch } from "wouter";
import { Button } from "../ui/Button.js";
import { listJobsCommands } from "../ui/commands.js";
import { ConnectionBanner } from "../ui/ConnectionBanner.js";
import { CopyAs } from "../ui/CopyAs.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { usePageTitle } from "../ui/usePageTitle.js";
import { count } from "../ui/words.js";
import { type Action, act } from "./list/actions.js";
import { feedOf } from "./list/feed.js";
import { FilterBar } from "./list/FilterBar.js";
import { addressOf, filterOf, isOpen, type JobFilter } from "./list/filter.js";
import { JobRows } from "./list/JobRows.js";
import { NoJobs, NothingMatches } from "./list/NoJobs.js";
import { useJobList } from "./list/useJobList.js";
import { useLiveJobs } from "./list/useLiveJobs.js";

const EVERYTHING: JobFilter = { states: [], provider: "", search: "" };

/** Every job, newest first, as it stands now. */
export default function JobsPage() {
  usePageTitle("Jobs");
  const tunesmith = useTunesmith();
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const query = useSearch();
  const filter = useMemo(() => filterOf(query), [query]);
  const list = useJobList(filter);
  const { jobs, data, error, refetch, hasNextPage, isFetching, isPlaceholderData, isFetchNextPageError, fetchNextPage } = list;
  const live = useLiveJobs();
  const above = useRef<HTMLDivElement>(null);
  const [refused, setRefused] = useState<{ job: Job; action: Action; error: TunesmithError } | null>(null);
  const narrow = useCallback((next: JobFilter, replace = false) => navigate(addressOf(next), { replace }), [navigate]);
  const more = useCallback(() => void fetchNextPage({ cancelRefetch: false }), [fetchNextPage]);
  const onAct = useCallback(
    async (job: Job, action: Action) => {
      setRefused(null);
      const problem = await act(tunesmith, feedOf(client), job, action);
      setRefused(problem && { job, action, error: problem });
    },
    [tunesmith, client],
  );
  const empty = data !== undefined && jobs.length === 0 && !hasNextPage && !isPlaceholderData;
  return (
    <>
      <div ref={above} className="stack">
        <div className="page-head">
          <h1>
            Jobs{" "}
            {data && jobs.length > 0 && (
              <span className="total" role="status" aria-label={`${count(jobs.length)}${hasNextPage ? " or more" : ""} jobs`}>
                {count(jobs.length)}
                {hasNextPage && "+"}
              </span>
            )}
          </h1>
          <div className="row">
            <CopyAs commands={() => listJobsCommands(tunesmith.baseUrl, filter)} />
          </div>
        </div>
        {!(empty && isOpen(filter)) && <FilterBar filter={filter} onChange={narrow} />}
        {error && !isFetchNextPageError && <ErrorNotice error={error} onRetry={() => void refetch()} />}
        {live.error && <ErrorNotice error={live.error} onRetry={live.again} />}
      </div>
      <ConnectionBanner connection={live.connection} />
      {refused && (
        <div className="jobs-refused">
          <p>
            <strong>
              {refused.job.displayName || refused.job.id} could not be told to {refused.action}.
            </strong>
          </p>
          <ErrorNotice error={refused.error} />
          <Button onClick={() => setRefused(null)}>Dismiss</Button>
        </div>
      )}
      {empty && (isOpen(filter) ? <NoJobs /> : <NothingMatches onClear={() => narrow(EVERYTHING)} />)}
      {!empty && !(error && !data) && (
        <div className={isPlaceholderData ? "jobs-old" : ""}>
          <JobRows
            jobs={jobs}
            more={!data || hasNextPage}
            busy={isFetching || isFetchNextPageError}
            above={above}
            onMore={more}
            onAct={onAct}
          />
        </div>
      )}
      {isFetchNextPageError && <ErrorNotice error={error} onRetry={more} />}
    </>
  );
}
