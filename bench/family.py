"""Ending a process that was started here together with everything it has started, by process id."""

import contextlib
import signal
import subprocess

import psutil

STOP_TIMEOUT_S = 20.0


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and kill what is left of its family when the time is up."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    # psutil tells a process from a later one of the same id by when it began.
    left = psutil.wait_procs(family, timeout=1.0)[1]
    if process.poll() is None:
        process.kill()
        process.wait()
    for each in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
