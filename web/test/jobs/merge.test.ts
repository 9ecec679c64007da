import { type Job, JobState } from "@tunesmith/sdk";
import { expect, test } from "vitest";
import { addressOf, filterOf, type JobFilter, matches } from "../../src/jobs/list/filter.js";
import { flatten, type JobPages, merge } from "../../src/jobs/list/merge.js";
import { seeded } from "../ui/seeded.js";
import { jobOf } from "./plant.js";

const ALL: JobFilter = { states: [], provider: "", search: "" };
const pagesOf = (...pages: Job[][]): JobPages => ({
  pages: pages.map((jobs, index) => ({ jobs, nextPageToken: index < pages.length - 1 ? "more" : "" })),
  pageParams: pages.map(String),
});
const by = (...jobs: Job[]) => new Map(jobs.map((job) => [job.id, job]));
const numbers = (pages: JobPages) => flatten(pages).map(({ id }) => Number(id.slice(4)));
const later = jobOf(9_000, JobState.RUNNING).updateTime;

test("only the page with a change is another object", () => {
  const pages = pagesOf([jobOf(4, JobState.QUEUED), jobOf(3, JobState.QUEUED)], [jobOf(2, JobState.QUEUED)]);
  expect(merge(pages, ALL, by(jobOf(99, JobState.QUEUED, { provider: "x" }))).pages[1]).toBe(pages.pages[1]);
  const merged = merge(pages, ALL, by(jobOf(2, JobState.RUNNING, { updateTime: later })));
  expect(merged.pages[0]).toBe(pages.pages[0]);
  expect(merged.pages[1]!.jobs[0]!.state).toBe(JobState.RUNNING);
  expect(merge(pages, { ...ALL, provider: "other" }, by(jobOf(50, JobState.QUEUED)))).toBe(pages);
});

test("what is older than what is shown changes nothing", () => {
  const pages = pagesOf([jobOf(1, JobState.SUCCEEDED, { updateTime: later })]);
  expect(merge(pages, ALL, by(jobOf(1, JobState.RUNNING)))).toBe(pages);
});

test("a job below what was loaded waits for its page", () => {
  const pages = pagesOf([jobOf(9, JobState.QUEUED), jobOf(8, JobState.QUEUED)]);
  pages.pages[0]!.nextPageToken = "more";
  expect(merge(pages, ALL, by(jobOf(3, JobState.QUEUED)))).toBe(pages);
  pages.pages[0]!.nextPageToken = "";
  expect(numbers(merge(pages, ALL, by(jobOf(3, JobState.QUEUED))))).toEqual([9, 8, 3]);
  expect(numbers(merge(pagesOf([]), ALL, by(jobOf(3, JobState.QUEUED))))).toEqual([3]);
});

test("whatever happens in whatever order, the list is what the server would list", () => {
  const random = seeded(11);
  const filter: JobFilter = { states: [JobState.QUEUED, JobState.RUNNING], provider: "", search: "" };
  const states = [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED];
  const truth = new Map<number, Job>(Array.from({ length: 40 }, (_, number) => [number, jobOf(number, states[number % 3]!)]));
  const listed = () => [...truth.entries()].filter(([, job]) => matches(filter, job)).map(([number]) => number).sort((one, other) => other - one);
  const first = listed().map((number) => truth.get(number)!);
  let pages = pagesOf(first.slice(0, 10), first.slice(10, 20), first.slice(20));
  for (let turn = 0; turn < 500; turn += 1) {
    const number = Math.floor(random() * 60);
    const job = jobOf(number, states[Math.floor(random() * 3)]!, { updateTime: jobOf(10_000 + turn, JobState.QUEUED).updateTime });
    truth.set(number, job);
    pages = merge(pages, filter, by(job));
    expect(numbers(pages)).toEqual(listed());
  }
  expect(truth.size).toBe(60);
});

test("an address and its filter say the same", () => {
  const filters: JobFilter[] = [
    ALL,
    { states: [JobState.RUNNING], provider: "", search: "" },
    { states: [JobState.QUEUED, JobState.CANCELLED], provider: "a&b", search: "50 % of 'x' & #1" },
  ];
  expect(filters.length).toBe(3);
  for (const filter of filters) {
    expect(filterOf(new URL(addressOf(filter), "http://here").search)).toEqual(filter);
  }
  expect(addressOf(ALL)).toBe("/jobs");
  expect(filterOf("?state=nonsense&state=running").states).toEqual([JobState.RUNNING]);
});
