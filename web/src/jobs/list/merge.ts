import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { InfiniteData } from "@tanstack/react-query";
import type { Job } from "@tunesmith/sdk";
import { type JobFilter, matches } from "./filter.js";

/** One page of the list. */
export interface JobPage {
  jobs: Job[];
  nextPageToken: string;
}

export type JobPages = InfiniteData<JobPage>;

/**
 * The pages with jobs as they stand now: changed in place, gone where they left the filter, new ones where they belong.
 *
 * Pages without a change stay the same objects, and so do the pages as a whole. A job below the last page that was loaded is
 * left out, since that page will bring it.
 */
export function merge(pages: JobPages, filter: JobFilter, changed: ReadonlyMap<string, Job>): JobPages {
  const missing = new Map(changed);
  let touched = false;
  let next = pages.pages.map((page) => {
    let jobs: Job[] | undefined;
    page.jobs.forEach((job, index) => {
      const news = changed.get(job.id);
      if (!news) {
        return;
      }
      missing.delete(job.id);
      if (news !== job && compare(news.updateTime, job.updateTime) >= 0) {
        jobs ??= [...page.jobs];
        jobs[index] = news;
      }
    });
    if (!jobs) {
      return page;
    }
    touched = true;
    return { ...page, jobs: jobs.filter((job) => !changed.has(job.id) || matches(filter, job)) };
  });
  const last = next.at(-1);
  for (const job of missing.values()) {
    if (matches(filter, job) && last) {
      const page = next.findIndex(({ jobs }) => jobs.length > 0 && isBefore(job, jobs.at(-1)!));
      if (page < 0 && last.nextPageToken) {
        continue;
      }
      next = inserted(next, page < 0 ? next.length - 1 : page, job);
      touched = true;
    }
  }
  return touched ? { ...pages, pages: next } : pages;
}

/** All jobs of all pages, each once. */
export function flatten(pages: JobPages | undefined): Job[] {
  const seen = new Set<string>();
  const jobs: Job[] = [];
  for (const page of pages?.pages ?? []) {
    for (const job of page.jobs) {
      if (!seen.has(job.id)) {
        seen.add(job.id);
        jobs.push(job);
      }
    }
  }
  return jobs;
}

function inserted(pages: JobPage[], at: number, job: Job): JobPage[] {
  return pages.map((page, index) => {
    if (index !== at) {
      return page;
    }
    const place = page.jobs.findIndex((other) => isBefore(job, other));
    return { ...page, jobs: page.jobs.toSpliced(place < 0 ? page.jobs.length : place, 0, job) };
  });
}

/** Newest first, as the server lists them. */
function isBefore(job: Job, other: Job): boolean {
  const order = compare(job.createTime, other.createTime);
  return order === 0 ? job.id > other.id : order > 0;
}

function compare(one: Timestamp | undefined, other: Timestamp | undefined): number {
  const seconds = (one?.seconds ?? 0n) - (other?.seconds ?? 0n);
  return seconds === 0n ? (one?.nanos ?? 0) - (other?.nanos ?? 0) : seconds > 0n ? 1 : -1;
}
