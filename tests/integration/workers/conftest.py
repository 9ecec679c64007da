"""A real agent with its own Ray, before a fake door."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.fakes.worker_door import FakeDoor

ROOT = Path(__file__).parents[3]
READY_S = 120.0
STOP_S = 5.0


class RunningAgent:
    """An agent's process and the Ray that it started."""

    def __init__(self, door: FakeDoor, **variables: str) -> None:
        self.door = door
        # Ray puts sockets below it, whose paths may have 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="tsm", dir="/tmp"))
        token = self.folder / "token"
        token.write_text(secrets.token_hex(32))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNESMITH_"))} | {
            "TUNESMITH_HOME": str(self.folder / "home"),
            "TUNESMITH_WORKER_ADDRESS": door.address,
            "RAY_TMPDIR": str(self.folder / "ray"),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            # The actor gets it from the agent. With more threads than free cores they wait for each other, a hundred times longer
            # than they work.
            "OMP_NUM_THREADS": "1",
            "TUNESMITH_TRAINING_STATE_SECONDS": "0.2",
            "TUNESMITH_FAILPOINT_FOLDER": str(self.folder),
            **variables,
        }
        self._process = subprocess.Popen([sys.executable, "-m", "workers.agent"], env=environment, cwd=ROOT)

    def wait_ready(self, after: int = 0) -> None:
        """Wait until the pool says that it is ready, having said so `after` times before."""
        self.door.wait_for(lambda: [pool.ready for pool in self.door.pools].count(True) > after, READY_S)

    def processes(self, name: str) -> list[psutil.Process]:
        """The agent's descendants of a name."""
        return [one for one in self.descendants() if name in one.name()]

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True)

    def actor(self) -> psutil.Process:
        (actor,) = self.processes("TrainingP")
        return actor

    def pss_mib(self) -> float:
        return psutil.Process(self._process.pid).memory_full_info().pss / 1024**2

    def die_at(self, failpoint: str) -> None:
        """Have the process that comes to a failpoint next die there."""
        (self.folder / failpoint).touch()

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> int:
        return self._process.wait(timeout_s)

    def close(self) -> None:
        """Stop it, whatever state a test left it in."""
        left = self.descendants() if self._process.poll() is None else []
        self.terminate()
        try:
            self.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _, alive = psutil.wait_procs(left, timeout=STOP_S)
        for process in alive:
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def agent() -> Iterator[RunningAgent]:
    """One for all tests of a file: Ray and torch take long to start."""
    door = FakeDoor()
    door.start()
    running = RunningAgent(door)
    try:
        running.wait_ready()
        yield running
    finally:
        running.close()
        door.stop()
