import { ExportFormatSchema, type Job } from "@tunesmith/sdk";
import { Link } from "wouter";
import { enumWord } from "../../ui/enumWord.js";
import { StateBadge } from "../../ui/StateBadge.js";
import { Time } from "../../ui/Time.js";
import { Copyable } from "./Copyable.js";
import { JobActions } from "./JobActions.js";
import { exportOf, trainingOf } from "./specs.js";
import type { ActedJob } from "./useJobAction.js";

/** A job's name, what it is made of, and what can be done with it. */
export function JobHead({ job, acted }: { job: Job; acted: ActedJob }) {
  const configuration = trainingOf(job);
  const exported = exportOf(job);
  const dataset = configuration?.datasets?.trainingFileId;
  return (
    <>
      <nav aria-label="Where this is">
        <Link href="/jobs">Jobs</Link>
      </nav>
      <div className="page-head">
        <div className="job-title">
          <h1>{job.displayName || job.id}</h1>
          <StateBadge state={job.state} />
        </div>
        <JobActions job={job} acted={acted} />
      </div>
      <dl className="job-facts">
        <Fact name="Job">
          <Copyable text={job.id} name="id of the job" />
        </Fact>
        {configuration?.model?.baseModel && (
          <Fact name="Base model">
            <Link href={`/models?id=${encodeURIComponent(configuration.model.baseModel)}`}>
              <code>{configuration.model.baseModel}</code>
            </Link>
          </Fact>
        )}
        {dataset && (
          <Fact name="Dataset">
            <Link href={`/datasets/${encodeURIComponent(dataset)}`}>
              <code>{dataset}</code>
            </Link>
          </Fact>
        )}
        {exported && <Fact name="Exports to">{enumWord(ExportFormatSchema, exported.format ?? 0)}</Fact>}
        {exported?.artifactId && (
          <Fact name="Artifact">
            <Copyable text={exported.artifactId} name="id of the artifact" />
          </Fact>
        )}
        <Fact name="Provider">{job.provider}</Fact>
        {job.poolId && (
          <Fact name="Pool">
            <Copyable text={job.poolId} name="id of the pool" />
          </Fact>
        )}
        {job.attempt > 0 && <Fact name="Attempt">{job.attempt}</Fact>}
        <Fact name="Created">
          <Time time={job.createTime} />
        </Fact>
      </dl>
      <nav className="job-places" aria-label="Parts of this page">
        {!exported && <a href="#curves">Curves</a>}
        {!exported && <a href="#weights">Weights</a>}
        <a href="#events">Events</a>
        <a href="#artifacts">Artifacts</a>
        <a href="#configuration">Configuration</a>
      </nav>
    </>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
