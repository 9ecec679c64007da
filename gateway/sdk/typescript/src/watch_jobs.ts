import type { Client } from "@connectrpc/connect";
import type { JobService, WatchJobsResponse } from "./gen/tunesmith/job/v1/job_service_pb.js";
import type { Watched } from "./watching.js";

/** All jobs, from a cursor on. */
export class WatchedJobs implements Watched<WatchJobsResponse> {
  // Whoever watches everything waits for a server that is not there yet, too.
  readonly firstTries = Infinity;
  readonly giveUpMs = Infinity;
  readonly givenUp = "Nothing is heard of the jobs any more; list them and watch again later.";

  constructor(
    private readonly jobs: Client<typeof JobService>,
    private afterCursor: bigint,
  ) {}

  open(signal: AbortSignal): AsyncIterable<WatchJobsResponse> {
    return this.jobs.watchJobs({ afterCursor: this.afterCursor }, { signal });
  }

  take(message: WatchJobsResponse): WatchJobsResponse {
    if (message.cursor > this.afterCursor) {
      this.afterCursor = message.cursor;
    }
    return message;
  }

  isOver(): boolean {
    return false;
  }
}
