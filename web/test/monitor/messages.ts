import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Job,
  type JobEvent,
  JobEventSchema,
  JobEventType,
  JobSchema,
  JobState,
  MetricSeriesSchema,
  type WatchJobResponse,
  WatchJobResponseSchema,
} from "@tunesmith/sdk";

const BEGIN_MS = Date.UTC(2026, 10, 21, 12);

/** A job at a state; `at` seconds after it was created. */
export function jobAt(state: JobState, at = 0, more: Partial<Omit<Job, "$typeName">> = {}): Job {
  return create(JobSchema, {
    id: "job-1",
    displayName: "pico on alpaca",
    provider: "local",
    createTime: timestampFromMs(BEGIN_MS),
    updateTime: timestampFromMs(BEGIN_MS + at * 1000),
    state,
    ...more,
  });
}

/** An event. */
export function eventOf(sequence: number, type: JobEventType = JobEventType.STAGE, message = `event ${sequence}`): JobEvent {
  return create(JobEventSchema, {
    sequence: BigInt(sequence),
    type,
    message,
    createTime: timestampFromMs(BEGIN_MS + sequence * 1000),
  });
}

/** A message with points by key: `{train_loss: [[1, 4.2], [2, 4.1]]}`. */
export function messageOf(parts: {
  job?: Job;
  events?: JobEvent[];
  points?: Record<string, [step: number, value: number][]>;
  cursor?: number;
}): WatchJobResponse {
  return create(WatchJobResponseSchema, {
    job: parts.job,
    events: parts.events ?? [],
    metrics: Object.entries(parts.points ?? {}).map(([key, points]) =>
      create(MetricSeriesSchema, { key, points: points.map(([step, value]) => ({ step: BigInt(step), value })) }),
    ),
    metricCursor: BigInt(parts.cursor ?? 0),
  });
}
