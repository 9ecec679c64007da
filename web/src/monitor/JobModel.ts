import { type Job, type JobEvent, JobEventType, type WatchJobResponse } from "@tunesmith/sdk";
import { StepSeries } from "../charts/StepSeries.js";

/** A job as a watcher knows it: what its messages add up to, in whatever order and however often they came. */
export class JobModel {
  job: Job | undefined;
  /** In the order of their sequences, each once. */
  readonly events: JobEvent[] = [];
  /** By key, in the order in which they first came. */
  readonly series = new Map<string, StepSeries>();
  /** Where to take the stream up again. */
  cursor = 0n;
  /** How many sets of artifacts were announced. */
  artifactSets = 0;

  /** The last event's sequence. */
  get sequence(): bigint {
    return this.events.at(-1)?.sequence ?? 0n;
  }

  /** The last step of any series. */
  get lastStep(): number {
    let last = 0;
    for (const series of this.series.values()) {
      last = Math.max(last, series.lastStep ?? 0);
    }
    return last;
  }

  take(message: WatchJobResponse): void {
    if (message.job) {
      this.takeJob(message.job);
    }
    message.events.forEach((event) => this.#takeEvent(event));
    for (const { key, points } of message.metrics) {
      let series = this.series.get(key);
      if (!series) {
        this.series.set(key, (series = new StepSeries(key)));
      }
      for (const { step, value } of points) {
        series.put(Number(step), value);
      }
    }
    if (message.metricCursor > this.cursor) {
      this.cursor = message.metricCursor;
    }
  }

  /** A job from another answer, such as an action's. An older one than the one that is known says nothing. */
  takeJob(job: Job): void {
    if (!this.job || updatedAt(job) >= updatedAt(this.job)) {
      this.job = job;
    }
  }

  #takeEvent(event: JobEvent): void {
    let place = this.events.length;
    while (place > 0 && this.events[place - 1]!.sequence > event.sequence) {
      place -= 1;
    }
    if (place > 0 && this.events[place - 1]!.sequence === event.sequence) {
      return;
    }
    this.events.splice(place, 0, event);
    if (event.type === JobEventType.ARTIFACTS_ADDED) {
      this.artifactSets += 1;
    }
  }
}

/** Nanoseconds since 1970; 0 for a job that doesn't say. */
function updatedAt({ updateTime }: Job): bigint {
  return updateTime ? updateTime.seconds * 1_000_000_000n + BigInt(updateTime.nanos) : 0n;
}
