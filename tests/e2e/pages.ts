/** Every page of the console: its address, and the heading by which it is known. `{job}` and `{dataset}` stand for ids. */
export const PAGES: [path: string, heading: RegExp][] = [
  ["/jobs", /^Jobs\b/],
  ["/jobs/new", /^New job$/],
  ["/jobs/{job}", /./],
  ["/models", /^Models\b/],
  ["/datasets", /^Datasets\b/],
  ["/datasets/{dataset}", /alpaca/],
  ["/recipes", /^Recipes\b/],
  ["/adapters", /^Adapters\b/],
  ["/parameters", /^Parameters$/],
  ["/nothing/here", /^There is no page here$/],
];

/** A page's address with the ids in it. */
export function addressOf(path: string, ids: { job: string; dataset: string }): string {
  return path.replace("{job}", ids.job).replace("{dataset}", ids.dataset);
}
