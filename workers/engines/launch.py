"""`python launch.py command…`: become the command, and end with whoever started it.

Run by the engine's own Python, so it takes nothing but the standard library. Without it an engine would train on after the actor
was killed, and hold its GPU.
"""

import ctypes
import os
import signal
import sys

_SET_DEATH_SIGNAL = 1


def main(command: list[str]) -> None:
    """Does not return."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() == 1:
        # It ended in between.
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - the engine, and no shell


if __name__ == "__main__":
    main(sys.argv[1:])
