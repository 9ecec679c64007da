import type { Query, QueryClient } from "@tanstack/react-query";
import type { Job } from "@tunesmith/sdk";
import type { JobFilter } from "./filter.js";
import { type JobPages, merge } from "./merge.js";

/** Every list of jobs that is kept, whatever its filter. */
export const LISTS = ["jobs", "list"] as const;

export function listKey(filter: JobFilter): [...typeof LISTS, JobFilter] {
  return [...LISTS, filter];
}

/** What was heard of jobs lately; a page that was read before may not have it. */
const REMEMBERED = 2_000;
/** How long a list waits for the stream to begin, so that nothing can happen between the two. */
const PATIENCE_MS = 250;

/** What the stream of all jobs told this client, for every list it keeps. */
export class JobFeed {
  /** Where to go on; undefined before the stream first said where it is. */
  cursor: bigint | undefined;
  readonly recent = new Map<string, Job>();
  #begun = () => {};
  readonly #beginning: Promise<void>;

  constructor(private readonly client: QueryClient) {
    this.#beginning = new Promise((resolve) => {
      this.#begun = resolve;
    });
  }

  /** Take in what a message says. */
  take(jobs: readonly Job[], cursor: bigint): void {
    const first = this.cursor === undefined;
    this.cursor = cursor;
    this.#begun();
    if (first) {
      // What was listed before the stream began may have changed in between.
      const began = Date.now();
      const predicate = ({ state }: Query) => state.dataUpdatedAt > 0 && state.dataUpdatedAt <= began;
      void this.client.invalidateQueries({ queryKey: LISTS, predicate });
    }
    this.apply(jobs);
  }

  /** Show jobs as they stand in every list. */
  apply(jobs: readonly Job[]): void {
    if (jobs.length === 0) {
      return;
    }
    for (const job of jobs) {
      this.recent.delete(job.id);
      this.recent.set(job.id, job);
    }
    for (const id of this.recent.keys()) {
      if (this.recent.size <= REMEMBERED) {
        break;
      }
      this.recent.delete(id);
    }
    this.#merge(new Map(jobs.map((job) => [job.id, job])));
  }

  /** Put into newly read pages what was heard while they were on their way. */
  catchUp(): void {
    this.#merge(this.recent);
  }

  /** The stream can't go on from where it was: what is listed is read anew. */
  forget(): void {
    this.cursor = undefined;
    this.recent.clear();
  }

  /** Wait until the stream says where it is, but not for long. */
  async begun(): Promise<void> {
    await Promise.race([this.#beginning, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
  }

  #merge(changed: ReadonlyMap<string, Job>): void {
    for (const [key, data] of this.client.getQueriesData<JobPages>({ queryKey: LISTS })) {
      const merged = data && merge(data, key[LISTS.length] as JobFilter, changed);
      if (merged && merged !== data) {
        this.client.setQueryData(key, merged);
      }
    }
  }
}

const FEEDS = new WeakMap<QueryClient, JobFeed>();

/** The one feed of a cache. It outlives the page, so that coming back goes on from where it was. */
export function feedOf(client: QueryClient): JobFeed {
  const feed = FEEDS.get(client) ?? new JobFeed(client);
  FEEDS.set(client, feed);
  return feed;
}
