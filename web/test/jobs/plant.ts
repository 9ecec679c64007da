import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { type Job, JobSchema, JobService, JobState, JobView, ProviderService, RegistryService, type WatchJobsResponse } from "@tunesmith/sdk";

const NOW = Date.UTC(2026, 10, 21);
const STATES = [JobState.SUCCEEDED, JobState.FAILED, JobState.PAUSED, JobState.CANCELLED];

/** A job whose age is counted in minutes. */
export function jobOf(number: number, state: JobState, more: Partial<Job> = {}): Job {
  const created = timestampFromMs(NOW + number * 60_000);
  return Object.assign(
    create(JobSchema, {
      id: `job-${String(number).padStart(6, "0")}`,
      displayName: `Job ${number}`,
      provider: "local",
      state,
      createTime: created,
      updateTime: created,
    }),
    more,
  );
}

/** Jobs in memory behind the real service definitions: newest first, paged by key, filtered as the server does. */
export class Plant {
  jobs: Job[];
  readonly listed: { pageToken: string; states: JobState[]; search: string; provider: string }[] = [];
  readonly watchedAfter: bigint[] = [];
  models = 1;
  datasets = 1;
  cursor = 7n;
  refuse = "";
  /** Lets each page wait, so that something can happen meanwhile. */
  gate: Promise<void> | undefined;
  #tell: ((message: Pick<WatchJobsResponse, "jobs" | "cursor">) => void)[] = [];

  constructor(count: number) {
    this.jobs = Array.from({ length: count }, (_, index) => jobOf(count - index, STATES[index % STATES.length]!));
  }

  /** A job changed, or came. */
  change(job: Job): void {
    const at = this.jobs.findIndex(({ id }) => id === job.id);
    this.jobs = at < 0 ? [job, ...this.jobs] : this.jobs.with(at, job);
    this.cursor += 1n;
    for (const tell of this.#tell) {
      tell({ jobs: [job], cursor: this.cursor } as WatchJobsResponse);
    }
  }

  /** How many streams there are. */
  get watchers(): number {
    return this.#tell.length;
  }

  /** End every stream, as a gateway that restarts. */
  breakStreams: (() => void)[] = [];

  readonly routes = (router: ConnectRouter): void => {
    const decided = (id: string, state: JobState) => {
      const job = this.jobs.find((one) => one.id === id)!;
      if (this.refuse) {
        throw new ConnectError(this.refuse, Code.FailedPrecondition);
      }
      return { job: { ...job, state } };
    };
    router.service(JobService, {
      listJobs: async ({ pageSize, pageToken, states, search, provider, view }) => {
        this.listed.push({ pageToken, states, search, provider });
        const kept = this.jobs.filter(
          (job) =>
            (states.length === 0 || states.includes(job.state)) &&
            job.displayName.toLowerCase().includes(search.toLowerCase()) &&
            (!provider || job.provider === provider),
        );
        const start = pageToken ? kept.findIndex(({ id }) => id < pageToken) : 0;
        const page = start < 0 ? [] : kept.slice(start, start + pageSize);
        await this.gate;
        if (view !== JobView.BASIC) {
          throw new ConnectError("a list needs no configurations", Code.InvalidArgument);
        }
        return { jobs: page, nextPageToken: start + pageSize < kept.length ? page.at(-1)!.id : "" };
      },
      watchJobs: async function* (this: void, { afterCursor }: { afterCursor: bigint }, context: { signal: AbortSignal }) {
        plant.watchedAfter.push(afterCursor);
        const waiting: Pick<WatchJobsResponse, "jobs" | "cursor">[] = [{ jobs: [], cursor: afterCursor || plant.cursor }];
        let wake = () => {};
        let ended = false;
        const tell = (message: Pick<WatchJobsResponse, "jobs" | "cursor">) => {
          waiting.push(message);
          wake();
        };
        plant.#tell.push(tell);
        plant.breakStreams.push(() => {
          ended = true;
          wake();
        });
        context.signal.addEventListener("abort", () => wake());
        try {
          while (!context.signal.aborted && !ended) {
            yield* waiting.splice(0);
            if (waiting.length === 0 && !ended) {
              await new Promise<void>((resolve) => (wake = resolve));
            }
          }
          if (ended) {
            throw new ConnectError("the gateway stops", Code.Unavailable);
          }
        } finally {
          plant.#tell = plant.#tell.filter((one) => one !== tell);
        }
      },
      cancelJob: ({ id }) => decided(id, JobState.CANCELLED),
      pauseJob: ({ id }) => decided(id, JobState.PAUSED),
      resumeJob: ({ id }) => decided(id, JobState.QUEUED),
    });
    router.service(ProviderService, { listProviders: () => ({ providers: [{ id: "local", displayName: "Local" }] }) });
    router.service(RegistryService, {
      listBaseModels: () => ({ baseModels: Array.from({ length: this.models }, () => ({ id: "m" })) }),
      listDatasets: () => ({ datasets: Array.from({ length: this.datasets }, () => ({ id: "d" })) }),
    });
    const plant = this;
  };
}
