import type { Client } from "@connectrpc/connect";
import type { JobService, WatchJobResponse } from "./gen/tunesmith/job/v1/job_service_pb.js";
import { JobState } from "./gen/tunesmith/job/v1/job_state_pb.js";
import { isTerminal } from "./job_states.js";
import { REPEATS } from "./transport.js";
import type { Watched } from "./watching.js";

/** As often as any other call. */
const FIRST_TRIES = 1 + REPEATS;
/** A restart of the server, or a change of networks, takes less; the job itself goes on meanwhile. */
const GIVE_UP_MS = 600_000;

/** One job, from a sequence of its events and a cursor of its metric points on. */
export class WatchedJob implements Watched<WatchJobResponse> {
  readonly firstTries = FIRST_TRIES;
  readonly giveUpMs = GIVE_UP_MS;
  readonly givenUp: string;
  #state = JobState.UNSPECIFIED;

  constructor(
    private readonly jobs: Client<typeof JobService>,
    private readonly id: string,
    private afterSequence: bigint,
    private afterMetricCursor: bigint,
    private readonly maxPointsPerSeries: number,
  ) {
    this.givenUp = `Nothing is heard of job ${id} any more; it may still run, so watch it again later.`;
  }

  open(signal: AbortSignal): AsyncIterable<WatchJobResponse> {
    const { id, afterSequence, afterMetricCursor } = this;
    // What comes after a cursor is complete.
    const maxPointsPerSeries = afterMetricCursor === 0n ? this.maxPointsPerSeries : 0;
    return this.jobs.watchJob({ id, afterSequence, afterMetricCursor, maxPointsPerSeries }, { signal });
  }

  take(message: WatchJobResponse): WatchJobResponse {
    const events = message.events.filter(({ sequence }) => sequence > this.afterSequence);
    this.afterSequence = events.at(-1)?.sequence ?? this.afterSequence;
    if (message.metricCursor > this.afterMetricCursor) {
      this.afterMetricCursor = message.metricCursor;
    }
    this.#state = message.job?.state ?? this.#state;
    return events.length === message.events.length ? message : { ...message, events };
  }

  isOver(): boolean {
    return isTerminal(this.#state);
  }
}
