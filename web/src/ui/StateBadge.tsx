import { JobState, JobStateSchema } from "@tunesmith/sdk";

const TONES: Partial<Record<JobState, string>> = {
  [JobState.RUNNING]: "badge-busy",
  [JobState.PAUSED]: "badge-warn",
  [JobState.CANCELLING]: "badge-warn",
  [JobState.SUCCEEDED]: "badge-good",
  [JobState.FAILED]: "badge-bad",
};

/** A job's state in a word: the enum's own, so that a state added to the protos shows at once. */
export function stateWord(state: JobState): string {
  const name = JobStateSchema.value[state]?.localName ?? `state ${state}`;
  return name.charAt(0) + name.slice(1).toLowerCase();
}

/** A job's state as a coloured word; the word alone says it too. */
export function StateBadge({ state }: { state: JobState }) {
  return <span className={`badge ${TONES[state] ?? ""}`}>{stateWord(state)}</span>;
}
