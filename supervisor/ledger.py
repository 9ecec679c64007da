"""Which processes are ours, on disk, so that a run can end what a killed one left and touch nothing else."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

# A clock that was set since shifts every start time alike, by less than it takes to hand out every process id again.
_SAME_START_S = 2.0


class Ledger:
    """A file with process ids and start times. An id alone may by now be somebody else's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: dict[int, float] = {}

    def record(self, processes: Iterable[psutil.Process]) -> None:
        """Write down these processes in place of those before, if they differ."""
        found = {}
        for process in processes:
            try:
                found[process.pid] = process.create_time()
            except psutil.NoSuchProcess:
                continue
        if found == self._written:
            return
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps([{"pid": pid, "started": started} for pid, started in found.items()]))
        temporary.replace(self._path)
        self._written = found

    def left_over(self) -> list[psutil.Process]:
        """The recorded processes that still run, and their descendants. Never this process."""
        alive: dict[int, psutil.Process] = {}
        for entry in self._read():
            try:
                process = psutil.Process(int(entry["pid"]))
                if abs(process.create_time() - entry["started"]) <= _SAME_START_S:
                    alive |= {each.pid: each for each in [process, *process.children(recursive=True)]}
            except psutil.NoSuchProcess:
                continue
        alive.pop(os.getpid(), None)
        return list(alive.values())

    def _read(self) -> list[dict[str, float]]:
        try:
            return json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            # None yet, or a disk filled up while it was written; that must not keep Tunesmith from ever starting again.
            return []
