"""The whole of Tunesmith, as `make up` runs it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from supervisor.probes import free_port

ROOT = Path(__file__).parents[2]
# On two idle cores it takes about 3 and 15 seconds; a machine that runs other tests beside these needs more.
HEALTHY_WITHIN_S = 60.0
POOL_WITHIN_S = 120.0
STOPPED_WITHIN_S = 20.0


@dataclass
class Stack:
    """A running supervisor."""

    home: Path
    port: int
    worker_port: int
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def is_healthy(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def said(self) -> str:
        return (self.home / "said").read_text()

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def named(self, text: str) -> psutil.Process:
        return next(each for each in self.descendants() if any(text in word for word in each.cmdline()[:3]))


def start(home: Path, port: int, worker_port: int, **settings: str) -> Stack:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TUNESMITH_", "RAY_"))}
    environment |= {"TUNESMITH_HOME": str(home), "TUNESMITH_PORT": str(port), "TUNESMITH_WORKER_PORT": str(worker_port)}
    # Forty models that nobody asked for would be in every list, and a pool busy with them.
    environment |= {"TUNESMITH_CATALOG": "0"} | settings
    with (home / "said").open("w") as said:
        process = subprocess.Popen([sys.executable, "-m", "supervisor"], cwd=ROOT, env=environment, stdout=said, stderr=said)
    return Stack(home, port, worker_port, process)


@contextmanager
def running() -> Iterator[Stack]:
    """A stack of its own, with a pool that takes work and the starter's model."""
    with tempfile.TemporaryDirectory(prefix="ts-") as folder:
        made = start(Path(folder), free_port("127.0.0.1"), free_port("127.0.0.1"))
        try:
            wait_for(made.is_healthy, HEALTHY_WITHIN_S, made)
            wait_for(lambda: "pool ready" in made.said(), POOL_WITHIN_S, made)
            wait_for(lambda: "starter: done" in made.said(), POOL_WITHIN_S, made)
            yield made
        finally:
            made.process.send_signal(signal.SIGTERM)
            made.process.wait(STOPPED_WITHIN_S)


def still_alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. A process whose parent was killed stays a zombie until the machine's init looks for it."""
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def wait_for(condition: Callable[[], Any], seconds: float, stack: Stack) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert stack.process.poll() is None, stack.said()
        assert time.monotonic() < deadline, stack.said()
        time.sleep(0.2)
