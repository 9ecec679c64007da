"""Places where a test may have a process die: the moments between two effects, which random kills hardly ever meet.

Nothing happens unless TUNESMITH_FAILPOINT_FOLDER is set. Then a process that comes to the place `report.committed` and finds a
file of that name in the folder removes it and ends with SIGKILL: no clean-up runs, as after a power cut.
"""

import os
import signal
from pathlib import Path

FAILPOINTS = frozenset(
    {
        # The job service has given a job to a pool; the pool has not heard of it.
        "lease.committed",
        # The actor has its assignment and has done nothing yet.
        "attempt.started",
        # A report is applied and not committed.
        "report.before_commit",
        # A report is committed, and its worker has no answer.
        "report.committed",
        # A job is queued, and its client has no answer.
        "create.committed",
        # A set of artifacts is half received.
        "artifacts.receiving",
        # All files of a set are on disk under their ids, and none is listed.
        "artifacts.received",
        # A set is listed, and its worker has no answer.
        "artifacts.committed",
        # The actor has a training state stored, and nothing is reported after it.
        "training_state.stored",
        # The actor has its result stored and has not said how the attempt ended.
        "result.stored",
    }
)

_FOLDER = os.environ.get("TUNESMITH_FAILPOINT_FOLDER")


def failpoint(name: str) -> None:
    """Die here if a test asked for it."""
    if _FOLDER is None:
        return
    if name not in FAILPOINTS:
        raise ValueError(f"{name!r} is no failpoint; add it to FAILPOINTS")
    try:
        (Path(_FOLDER) / name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
