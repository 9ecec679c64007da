import "uplot/dist/uPlot.min.css";
import "../charts/charts.css";
import "../monitor/monitor.css";
import "./job/job.css";
import { Code, isTerminal, JobState } from "@tunesmith/sdk";
import { useEffect } from "react";
import { Link } from "wouter";
import { MonitorView } from "../monitor/Monitor.js";
import { useWatchedJob } from "../monitor/useWatchedJob.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Artifacts } from "./job/Artifacts.js";
import { Configuration } from "./job/Configuration.js";
import { Expectations } from "./job/Expectations.js";
import { JobHead } from "./job/JobHead.js";
import { NextSteps } from "./job/NextSteps.js";
import { exportOf } from "./job/specs.js";
import { useArtifacts } from "./job/useArtifacts.js";
import { useJobAction } from "./job/useJobAction.js";
import { useJobTitle } from "./job/useJobTitle.js";
import { Weights } from "./job/Weights.js";

/** One job: what it does, what was asked for, what it made. */
export default function JobPage({ id }: { id: string }) {
  const watched = useWatchedJob(id);
  const acted = useJobAction(watched);
  const { model, error } = watched;
  const { job } = acted;
  const artifacts = useArtifacts(id, model.job && `${model.artifactSets} ${isTerminal(model.job.state)}`);
  useJobTitle(job);
  useEffect(() => {
    // The part that the address names is not there when the browser looks for it.
    if (job && location.hash) {
      document.getElementById(location.hash.slice(1))?.scrollIntoView();
    }
  }, [job === undefined]);
  if (!job && error?.code === Code.NotFound) {
    return (
      <div className="panel empty">
        <h1>There is no such job</h1>
        <p className="soft">
          Nothing goes by <code>{id}</code>. Its id may have lost a part on its way, or it belongs to another Tunesmith.
        </p>
        <Link href="/jobs" className="button">
          See all jobs
        </Link>
      </div>
    );
  }
  if (!job) {
    return (
      <>
        <h1>Job</h1>
        {error ? <ErrorNotice error={error} onRetry={watched.retry} /> : <p className="soft">Loading…</p>}
      </>
    );
  }
  return (
    <>
      <MonitorView
        watched={watched}
        job={job}
        head={
          <>
            <JobHead job={job} acted={acted} />
            {acted.error !== undefined && <ErrorNotice error={acted.error} />}
          </>
        }
        action={
          !exportOf(job) && (
            <Link href={`/jobs/new?from=${encodeURIComponent(id)}${job.errorFix ? "&fixed=1" : ""}`} className="button">
              {job.errorFix ? `${job.errorFix.label} and run again` : "Change it and run again"}
            </Link>
          )
        }
      >
        {job.state === JobState.SUCCEEDED && artifacts.sets && <NextSteps job={job} sets={artifacts.sets} />}
      </MonitorView>
      {!exportOf(job) && <Weights job={job} />}
      <Artifacts job={job} artifacts={artifacts} />
      <Expectations job={job} />
      <Configuration job={job} />
    </>
  );
}
