import { Code, type Job } from "@tunesmith/sdk";
import { type ReactNode, useId } from "react";
import { ConnectionBanner } from "../ui/ConnectionBanner.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Notice } from "../ui/Notice.js";
import { StateBadge, stateWord } from "../ui/StateBadge.js";
import { Charts } from "./Charts.js";
import { EventLog } from "./EventLog.js";
import { Figures } from "./Figures.js";
import { JobNotices } from "./JobNotices.js";
import { Progress } from "./Progress.js";
import { useWatchedJob, type WatchedJob } from "./useWatchedJob.js";

/** A job while it runs: progress, figures, live curves, events. */
export function Monitor({ jobId, compact }: { jobId: string; compact?: boolean }) {
  return <MonitorView watched={useWatchedJob(jobId)} compact={compact} />;
}

interface MonitorViewProps {
  watched: WatchedJob;
  compact?: boolean;
  /** Shown instead of the job as it stands: what it will be if the server agrees. */
  job?: Job;
  /** Stands in the place of the job's name and state. */
  head?: ReactNode;
  /** What to do about a job that failed. */
  action?: ReactNode;
  /** What belongs between the figures and the curves. */
  children?: ReactNode;
}

/** The same for a job that somebody else watches. */
export function MonitorView({ watched, compact, job: expected, head, action, children }: MonitorViewProps) {
  const syncKey = useId();
  const { id, model, version, connection, error, retry } = watched;
  const { events } = model;
  const job = expected ?? model.job;
  if (!job) {
    return error ? <NoJob watched={watched} /> : <p className="panel soft">Loading job {id}…</p>;
  }
  // Below the name, wherever that stands.
  const notices = <JobNotices job={job} events={compact ? [] : events} action={action} />;
  return (
    <div className={compact ? "monitor monitor-compact" : "monitor"}>
      {head}
      <p className="visually-hidden" role="status">
        The job is {stateWord(job.state).toLowerCase()}.
      </p>
      <ConnectionBanner connection={connection} />
      {error && <ErrorNotice error={error} onRetry={retry} />}
      {head !== undefined && notices}
      <section className="panel monitor-now" aria-label="Progress">
        {/* On a surface of its own: what colour a foreign page has behind it, nobody knows. */}
        {head === undefined && (
          <div className="monitor-head">
            <h2>{job.displayName || job.id}</h2>
            <StateBadge state={job.state} />
          </div>
        )}
        <Progress job={job} />
        <Figures model={model} compact={compact} />
      </section>
      {head === undefined && notices}
      {children}
      {/* What trains nothing has no steps, and nothing to wait for. */}
      {job.spec.case !== "export" && (
        <section className="monitor-section" id="curves">
          <h2 className="visually-hidden">Curves</h2>
          {model.series.size > 0 ? (
            <Charts model={model} version={version} compact={compact} syncKey={syncKey} />
          ) : (
            <p className="soft panel">
              {job.endTime ? "It ended before its first step, so there are no curves." : "The curves begin with the first step."}
            </p>
          )}
        </section>
      )}
      {!compact && (
        <section className="panel monitor-section stack" id="events">
          <h2>Events</h2>
          <EventLog events={events} count={events.length} />
        </section>
      )}
    </div>
  );
}

/** In the place of a job that can't be shown. */
export function NoJob({ watched: { id, error, retry } }: { watched: WatchedJob }) {
  if (error?.code !== Code.NotFound) {
    return <ErrorNotice error={error} onRetry={retry} />;
  }
  return (
    <Notice tone="bad">
      There is no job <code>{id}</code> here. Look at its id again; <code>tunesmith jobs list</code> shows those that are there.
    </Notice>
  );
}
