import { JobState } from "./gen/tunesmith/job/v1/job_state_pb.js";

/** The states in which a job stays. */
export const TERMINAL_STATES: ReadonlySet<JobState> = /*@__PURE__*/ new Set([
  JobState.SUCCEEDED,
  JobState.FAILED,
  JobState.CANCELLED,
]);

/** Whether a job in this state is over. */
export function isTerminal(state: JobState): boolean {
  return TERMINAL_STATES.has(state);
}
