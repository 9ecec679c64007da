"""What the training actors say of themselves: a second witness, beside the service's own events.

Ray keeps a file for each worker's standard error and removes all of them with its session, so they are read as they grow. A file
that is open can be read to its end after it was removed.
"""

import asyncio
import json
import time
from datetime import datetime
from pathlib import Path
from typing import IO

import psutil

from tests.chaos.log import OperationLog

LOOK_S = 0.1
_TOLD = {"attempt_started", "attempt_ended", "attempt_abandoned"}


class ActorLogs:
    """Follows every worker's log below Ray's folder."""

    def __init__(self, ray_folder: Path, log: OperationLog) -> None:
        self._ray_folder = ray_folder
        self._log = log
        self._open: dict[Path, tuple[int, IO[str]]] = {}
        self._rest: dict[Path, str] = {}
        self._ended: set[Path] = set()

    async def run(self) -> None:
        """Follow without end."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Read what is new, and notice who is gone."""
        for path in self._ray_folder.glob("session_2*/logs/worker-*.err"):
            if path not in self._open and path not in self._ended:
                self._open[path] = int(path.stem.rpartition("-")[2]), path.open(errors="replace")
        for path, (pid, file) in list(self._open.items()):
            gone = not _runs(pid)
            self._read(path, pid, file)
            if gone:
                self._log.add("seen", "process_ended", "actors", pid=pid, time=time.time())
                file.close()
                del self._open[path]
                self._ended.add(path)

    def _read(self, path: Path, pid: int, file: IO[str]) -> None:
        *lines, self._rest[path] = (self._rest.get(path, "") + file.read()).split("\n")
        for line in lines:
            if line.startswith("{") and (told := json.loads(line)).get("event") in _TOLD:
                facts = {key: told[key] for key in ("job", "attempt", "outcome") if key in told}
                said = datetime.fromisoformat(told["timestamp"]).timestamp()
                self._log.add("seen", told["event"], "actors", pid=pid, time=said, **facts)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
