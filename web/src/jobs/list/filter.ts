import { type Job, JobState, JobStateSchema } from "@tunesmith/sdk";

/** Which jobs are shown. It stands in the page's address, so that it can be sent to somebody and gone back to. */
export interface JobFilter {
  states: JobState[];
  provider: string;
  search: string;
}

/** A state and the word it goes by in an address. */
export const STATES: readonly { state: JobState; word: string }[] = JobStateSchema.values
  .filter((value) => value.number !== JobState.UNSPECIFIED)
  .map((value) => ({ state: value.number as JobState, word: value.localName.toLowerCase() }));

/** The filter of an address; words that are no state are left out. */
export function filterOf(query: string): JobFilter {
  const parameters = new URLSearchParams(query);
  const words = new Set(parameters.getAll("state"));
  return {
    states: STATES.filter(({ word }) => words.has(word)).map(({ state }) => state),
    provider: parameters.get("provider") ?? "",
    search: parameters.get("search") ?? "",
  };
}

/** The address of a filter; nothing but the path where it leaves all jobs in. */
export function addressOf(filter: JobFilter): string {
  const parameters = new URLSearchParams();
  for (const { state, word } of STATES) {
    if (filter.states.includes(state)) {
      parameters.append("state", word);
    }
  }
  if (filter.provider) {
    parameters.set("provider", filter.provider);
  }
  if (filter.search) {
    parameters.set("search", filter.search);
  }
  const query = parameters.toString();
  return query ? `/jobs?${query}` : "/jobs";
}

/** Whether a filter leaves all jobs in. */
export function isOpen(filter: JobFilter): boolean {
  return filter.states.length === 0 && !filter.provider && !filter.search;
}

/** Whether a job that changed still belongs to the list, as the server would judge. */
export function matches(filter: JobFilter, job: Job): boolean {
  return (
    (filter.states.length === 0 || filter.states.includes(job.state)) &&
    (!filter.provider || job.provider === filter.provider) &&
    (!filter.search || job.displayName.toLowerCase().includes(filter.search.toLowerCase()))
  );
}
