"""Starting and ending processes: lists of arguments, never a shell; process ids, never names."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from supervisor.home import open_log

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, such as Ray's workers: so they can be found and ended."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this kernel lets no process adopt its descendants")


def start(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that Ctrl-C reaches the supervisor alone, which then ends all in order."""
    output = open_log(log)
    try:
        return subprocess.Popen(
            list(command),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(output)


def with_descendants(pid: int) -> list[psutil.Process]:
    """A process and all below it; nothing if it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def session_of(process: psutil.Process) -> int | None:
    """The session a process belongs to, which has the id of the one that `start` started; None if it is gone."""
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def end(processes: Iterable[psutil.Process], patience_s: float, *, first: int | None = None) -> int:
    """End processes, kindly and then not, and return how many had to be killed.

    With `first`, only that process is asked to end, and the others are given the time it takes to end them itself.
    """
    remaining = list(processes)
    for process in remaining:
        if first is None or process.pid == first:
            _send(process, signal.SIGTERM)
    remaining = _wait(remaining, patience_s)
    for process in remaining:
        _send(process, signal.SIGKILL)
    _wait(remaining, 2.0)
    return len(remaining)


def reap_adopted(own: Iterable[int]) -> None:
    """Collect adopted descendants that have ended. Those that were started here are collected by who started them."""
    known = set(own)
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, ChildProcessError):
            if process.pid not in known and process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _wait(processes: Sequence[psutil.Process], patience_s: float) -> list[psutil.Process]:
    """Wait until these have ended, at most so long, and return those that have not."""
    deadline = time.monotonic() + patience_s
    running = list(processes)
    while running := [process for process in running if _runs(process)]:
        if time.monotonic() >= deadline:
            return running
        time.sleep(0.05)
    return []


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
