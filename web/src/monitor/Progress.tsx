import { isTerminal, type Job, JobState } from "@tunesmith/sdk";
import { useEffect, useState } from "react";
import { count, dateOf, duration } from "../ui/words.js";
import { percent } from "./figures.js";

/** How far a job is: bar, steps, epochs, time that went and time that is left. */
export function Progress({ job }: { job: Job }) {
  const { state, step, totalSteps, epoch, attempt, estimatedRemainingSeconds } = job;
  const runs = state === JobState.RUNNING || state === JobState.CANCELLING;
  const counted = step !== undefined && totalSteps !== undefined;
  return (
    <div className="monitor-progress">
      <progress
        className="progress"
        aria-label="Share of the work that is done"
        max={1}
        // Without a value the bar says only that something is going on.
        value={runs && totalSteps === undefined ? undefined : job.progress}
      />
      <ul className="monitor-words">
        <li>
          <strong>{percent(job.progress)}</strong>
        </li>
        {counted && (
          <li>
            step <strong>{count(step)}</strong> of {count(totalSteps)}
          </li>
        )}
        {epoch !== undefined && (
          <li>
            epoch <strong>{epoch.toFixed(2)}</strong>
          </li>
        )}
        <Elapsed job={job} />
        {state === JobState.RUNNING && estimatedRemainingSeconds !== undefined && (
          <li>
            about <strong>{duration(estimatedRemainingSeconds)}</strong> left, estimated
          </li>
        )}
        {attempt > 1 && (
          <li>
            attempt <strong>{attempt}</strong>
          </li>
        )}
      </ul>
    </div>
  );
}

function Elapsed({ job }: { job: Job }) {
  const [now, setNow] = useState(Date.now);
  const over = isTerminal(job.state);
  useEffect(() => {
    if (over) {
      return undefined;
    }
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [over]);
  const since = dateOf(job.startTime ?? job.createTime);
  if (!since) {
    return null;
  }
  const seconds = ((dateOf(job.endTime)?.getTime() ?? now) - since.getTime()) / 1000;
  return (
    <li>
      {job.startTime ? (over ? "took " : "running for ") : over ? "waited " : "waiting for "}
      <strong>{duration(seconds)}</strong>
    </li>
  );
}
