import { type Connection, isTerminal, type Job, type Tunesmith, type TunesmithError, toTunesmithError } from "@tunesmith/sdk";
import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";
import { useTunesmith } from "../ui/tunesmith.js";
import { useVisible } from "../ui/useVisible.js";
import { JobModel } from "./JobModel.js";

/** More than a chart has pixels; a long job has a hundred times as many. */
const MOST_PAST_POINTS = 2_000;

/** A job that is being watched. */
export interface WatchedJob {
  id: string;
  model: JobModel;
  /** Another number whenever the model has changed; at most once for each picture the screen shows. */
  version: number;
  connection: Connection;
  /** Why it is watched no longer; nothing comes until `retry`. */
  error: TunesmithError | undefined;
  retry(): void;
  /** Takes a job from another answer into the model. */
  takeJob(job: Job): void;
}

/** Watches a job by one stream while somebody can see the page; a stream that was ended is taken up where it was. */
export function useWatchedJob(id: string): WatchedJob {
  const tunesmith = useTunesmith();
  const visible = useVisible();
  const watch = useMemo(() => new Watch(tunesmith, id), [tunesmith, id]);
  const { version, connection, error, tries } = useSyncExternalStore(watch.subscribe, watch.read);
  useEffect(() => (visible ? watch.start() : undefined), [watch, visible, tries]);
  const takeJob = useCallback((job: Job) => watch.takeJob(job), [watch]);
  return { id, model: watch.model, version, connection, error, retry: watch.retry, takeJob };
}

interface Snapshot {
  version: number;
  connection: Connection;
  error: TunesmithError | undefined;
  tries: number;
}

class Watch {
  readonly model = new JobModel();
  readonly #listeners = new Set<() => void>();
  #snapshot: Snapshot = { version: 0, connection: { state: "connecting", attempt: 1 }, error: undefined, tries: 0 };
  #frame = 0;

  constructor(
    private readonly tunesmith: Tunesmith,
    private readonly id: string,
  ) {}

  readonly read = (): Snapshot => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly retry = (): void => this.#change({ error: undefined, tries: this.#snapshot.tries + 1 });

  takeJob(job: Job): void {
    this.model.takeJob(job);
    this.#changed();
  }

  /** Begins to watch; answers what ends it. */
  start(): (() => void) | undefined {
    const { job } = this.model;
    if (this.#snapshot.error || (job && isTerminal(job.state) && this.#complete)) {
      return undefined;
    }
    const ending = new AbortController();
    void this.#follow(ending.signal);
    return () => ending.abort();
  }

  // The stream's end says that everything was said; a terminal state alone does not.
  #complete = false;

  async #follow(signal: AbortSignal): Promise<void> {
    const { sequence: afterSequence, cursor: afterMetricCursor } = this.model;
    const onConnection = (connection: Connection) => !signal.aborted && this.#change({ connection });
    const place = { afterSequence, afterMetricCursor, maxPointsPerSeries: MOST_PAST_POINTS };
    try {
      for await (const message of this.tunesmith.watchJob(this.id, { signal, onConnection, ...place })) {
        if (signal.aborted) {
          return;
        }
        this.model.take(message);
        this.#changed();
      }
      this.#complete ||= !signal.aborted;
    } catch (error) {
      if (!signal.aborted) {
        this.#change({ error: toTunesmithError(error) });
      }
    }
  }

  /** What came is shown with the next picture, all of it at once. */
  #changed(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#change({ version: this.#snapshot.version + 1 });
    });
  }

  #change(change: Partial<Snapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    this.#listeners.forEach((listener) => listener());
  }
}
