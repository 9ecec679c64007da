import { type Job, JobState } from "@tunesmith/sdk";
import { useEffect } from "react";
import { percent } from "../../monitor/figures.js";
import { stateWord } from "../../ui/StateBadge.js";

/** Says in the tab's title how the job stands, so that somebody in another tab sees it. */
export function useJobTitle(job: Job | undefined): void {
  const title = job && titleOf(job);
  useEffect(() => {
    if (!title) {
      return undefined;
    }
    const before = document.title;
    document.title = title;
    return () => {
      document.title = before;
    };
  }, [title]);
}

function titleOf(job: Job): string {
  const done = job.state === JobState.RUNNING || job.state === JobState.PAUSED ? `${percent(job.progress)} ` : "";
  return `${done}${stateWord(job.state)} · ${job.displayName || job.id} · Tunesmith`;
}
