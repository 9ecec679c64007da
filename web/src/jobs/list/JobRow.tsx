import { type Job, JobState } from "@tunesmith/sdk";
import { memo, type MouseEvent, useEffect, useState } from "react";
import { Link } from "wouter";
import { StateBadge } from "../../ui/StateBadge.js";
import { ago, dateOf, duration, figure } from "../../ui/words.js";
import { type Action, actionsOf } from "./actions.js";
import { RowMenu } from "./RowMenu.js";

/** Made once: each takes longer to make than a row to show. */
const FULL_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

interface JobRowProps {
  job: Job;
  index: number;
  /** Pixels from the top of the rows. */
  top: number;
  /** The one row that the Tab key reaches. */
  current: boolean;
  /** For `5 min ago`; one clock for all rows. */
  now: Date;
  onFocus: (id: string) => void;
  onAct: (job: Job, action: Action) => void;
}

/** One job of the list. It is drawn again only when something about it has changed. */
export const JobRow = memo(function JobRow({ job, index, top, current, now, onFocus, onAct }: JobRowProps) {
  const created = dateOf(job.createTime);
  const loss = job.measured?.lastEvaluationLoss;
  return (
    <div
      role="row"
      className="jobs-row"
      aria-rowindex={index + 2}
      data-id={job.id}
      tabIndex={current ? 0 : -1}
      style={{ transform: `translateY(${top}px)` }}
      onFocus={() => onFocus(job.id)}
    >
      <div role="cell" className="jobs-name">
        <Link href={`/jobs/${job.id}`} tabIndex={-1} title={job.displayName}>
          {job.displayName || job.id}
        </Link>
      </div>
      <div role="cell" className="jobs-state">
        <StateBadge state={job.state} />
      </div>
      <div role="cell" className="jobs-progress">
        <Progress job={job} />
      </div>
      <div role="cell" className="jobs-provider soft">
        {job.provider}
      </div>
      <div role="cell" className="jobs-loss">
        {loss === undefined ? <None /> : figure(loss)}
      </div>
      <div role="cell" className="jobs-duration soft">
        <Duration job={job} />
      </div>
      <div role="cell" className="jobs-created soft">
        {created && (
          <time dateTime={created.toISOString()} title={FULL_TIME.format(created)}>
            {ago(created, now)}
          </time>
        )}
      </div>
      <div role="cell" className="jobs-menu" onClick={(event: MouseEvent) => event.stopPropagation()}>
        {actionsOf(job).length > 0 && <RowMenu job={job} current={current} onAct={onAct} />}
      </div>
    </div>
  );
});

/** A row that is still on its way, as high as it will be. */
export function SkeletonRow({ top }: { top: number }) {
  return (
    <div className="jobs-row jobs-skeleton" aria-hidden="true" style={{ transform: `translateY(${top}px)` }}>
      <div className="jobs-name">
        <span className="bone" />
      </div>
      <div className="jobs-state">
        <span className="bone bone-short" />
      </div>
    </div>
  );
}

function None() {
  return (
    <span className="soft">
      <span aria-hidden="true">–</span>
      <span className="visually-hidden">unknown</span>
    </span>
  );
}

function Progress({ job }: { job: Job }) {
  switch (job.state) {
    case JobState.RUNNING:
    case JobState.CANCELLING:
    case JobState.PAUSED: {
      const percent = `${Math.floor(job.progress * 100)} %`;
      const remaining = job.estimatedRemainingSeconds;
      return (
        <span className="jobs-bar" title={remaining === undefined ? undefined : `About ${duration(remaining)} left`}>
          <progress className="progress" max={1} value={job.progress} aria-label={`Progress of ${job.displayName}`} />
          <span className="jobs-percent">{job.pauseRequested && job.state === JobState.RUNNING ? "pausing" : percent}</span>
        </span>
      );
    }
    case JobState.FAILED:
      return (
        <span className="jobs-reason" title={job.error?.message}>
          {job.error?.message}
        </span>
      );
    default:
      return null;
  }
}

/** How long it ran, or has been running for. */
function Duration({ job }: { job: Job }) {
  const start = dateOf(job.startTime);
  const end = dateOf(job.endTime);
  if (!start) {
    return <None />;
  }
  if (end) {
    return <>{duration((end.getTime() - start.getTime()) / 1000)}</>;
  }
  return job.state === JobState.RUNNING || job.state === JobState.CANCELLING ? <Elapsed since={start.getTime()} /> : <None />;
}

function Elapsed({ since }: { since: number }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return <>{duration((now - since) / 1000)}</>;
}
