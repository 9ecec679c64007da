import { createRegistry, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Job, JobSchema, JobStateSchema } from "@tunesmith/sdk";
import { file_google_rpc_error_details } from "@tunesmith/sdk/gen/google/rpc/error_details";
import { useEffect } from "react";
import uplot from "uplot/dist/uPlot.min.css?inline";
import charts from "../charts/charts.css?inline";
import monitor from "../monitor/monitor.css?inline";
import { DownloadResult } from "../monitor/DownloadResult.js";
import { MonitorView } from "../monitor/Monitor.js";
import { useResult } from "../monitor/useResult.js";
import { useWatchedJob } from "../monitor/useWatchedJob.js";
import { Notice } from "../ui/Notice.js";
import type { ElementProps, ElementView } from "./element.js";

interface MonitorValues {
  job: string;
  compact: boolean;
}

/** `<tunesmith-monitor job="…">`: one job while it runs. Tells the page of each state by `tunesmith-state`. */
function MonitorElement({ values: { job, compact }, emit }: ElementProps<MonitorValues>) {
  if (!job) {
    return (
      <Notice>
        No job is named yet. Set the attribute <code>job</code> to the id of one.
      </Notice>
    );
  }
  return <Watching key={job} id={job} compact={compact ?? false} emit={emit} />;
}

function Watching({ id, compact, emit }: { id: string; compact: boolean; emit: ElementProps["emit"] }) {
  const watched = useWatchedJob(id);
  const job: Job | undefined = watched.model.job;
  const state = job?.state;
  useEffect(() => {
    if (job && state !== undefined) {
      emit("tunesmith-state", { state: JobStateSchema.value[state]?.localName ?? String(state), job: jobJson(job) });
    }
    // A job that changes without changing its state is not told.
  }, [state]);
  const result = useResult(job);
  return (
    <MonitorView watched={watched} compact={compact}>
      {result && (
        <div className="panel row">
          <DownloadResult result={result} />
        </div>
      )}
    </MonitorView>
  );
}

const details = createRegistry(file_google_rpc_error_details);

/** The job as the HTTP interface gives it. Details of an error whose type is not known here can't be written as JSON. */
function jobJson(job: Job): JsonValue {
  const known = job.error?.details.filter(({ typeUrl }) => details.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1)));
  return toJson(JobSchema, job.error && known ? { ...job, error: { ...job.error, details: known } } : job, {
    registry: details,
    useProtoFieldName: true,
  });
}

export default { component: MonitorElement, styles: [uplot, charts, monitor] } satisfies ElementView;
