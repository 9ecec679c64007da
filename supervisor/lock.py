"""One supervisor a home."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HomeTakenError(RuntimeError):
    """Another supervisor runs on this home. The message says which process it is."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock file, with our process id in it. The kernel lets go of it however we end."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "unknown"
            raise HomeTakenError(
                f"Tunesmith already runs on {path.parent.parent} (process {holder}). Stop it with Ctrl-C or `kill {holder}`, or "
                "set TUNESMITH_HOME to another folder (and TUNESMITH_PORT and TUNESMITH_WORKER_PORT to other ports)."
            ) from None
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
