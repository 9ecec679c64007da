"""What may happen to a job. Pure rules: no database, no gRPC."""

from tunesmith.job.v1 import job_state_pb2
from tunesmith.job.v1.job_state_pb2 import JobState

from services.chassis.errors import FailedPrecondition

QUEUED = job_state_pb2.JOB_STATE_QUEUED
RUNNING = job_state_pb2.JOB_STATE_RUNNING
PAUSED = job_state_pb2.JOB_STATE_PAUSED
CANCELLING = job_state_pb2.JOB_STATE_CANCELLING
SUCCEEDED = job_state_pb2.JOB_STATE_SUCCEEDED
FAILED = job_state_pb2.JOB_STATE_FAILED
CANCELLED = job_state_pb2.JOB_STATE_CANCELLED

# The diagram in JobState's comment, as code; a test compares the two.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    QUEUED: frozenset({RUNNING, PAUSED, FAILED, CANCELLED}),
    RUNNING: frozenset({SUCCEEDED, FAILED, QUEUED, PAUSED, CANCELLING}),
    PAUSED: frozenset({QUEUED, CANCELLED}),
    CANCELLING: frozenset({CANCELLED, SUCCEEDED, FAILED}),
    SUCCEEDED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}
TERMINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)
# A worker holds the job's lease in these, and only in these.
LEASED = frozenset({RUNNING, CANCELLING})

# Nobody goes on from where such a job's training stood. A failed one's stays, for whoever wants to find out or go on.
FORGETFUL = frozenset({SUCCEEDED, CANCELLED})

# Attempts in a row that may lose their worker and get no further before the job is given up: a job that kills its workers must
# not do so for ever.
MAX_LOST_ATTEMPTS = 3
# The version that stored configurations are written with; raised when a change of the protos needs them converted.
SCHEMA_VERSION = 1


def name_of(state: JobState) -> str:
    """A state as it is stored and shown: `JOB_STATE_QUEUED`."""
    return JobState.Name(state)


def check_transition(before: JobState, after: JobState) -> None:
    """Raise FailedPrecondition unless a job may go from one state to the other."""
    if after not in TRANSITIONS[before]:
        following = ", ".join(sorted(name_of(state) for state in TRANSITIONS[before])) or "nothing: it is over"
        text = f"the job is {name_of(before)} and can't become {name_of(after)}; from here it can become {following}"
        raise FailedPrecondition("ILLEGAL_TRANSITION", text, {"state": name_of(before)})
