"""Training actors without processes: each follows the script that the test wrote for it."""

import threading
from collections.abc import Callable

from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.crew import Actor, ActorLost, ClusterLost, Warm

DEVICE = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="chip", core_count=2, memory_bytes=1000)
WARM_BYTES = 1000
# What an actor does with an assignment: an outcome, None for a job that never ends, or an exception.
Script = Callable[[worker.Assignment], worker.Outcome | None]


class FakeActor:
    """An actor that is warm at once."""

    def __init__(self, script: Script, held_bytes: int) -> None:
        self.assignments: list[worker.Assignment] = []
        self.dismissed = threading.Event()
        self.dead = False
        self._script = script
        self._held_bytes = held_bytes

    def wait_warm(self, timeout_s: float) -> Warm | None:
        self._live()
        return Warm([DEVICE], 0.1, WARM_BYTES)

    def ping(self) -> None:
        self._live()

    def start(self, assignment_bytes: bytes) -> None:
        self.assignments.append(worker.Assignment.FromString(assignment_bytes))

    def wait_outcome(self, timeout_s: float) -> bytes | None:
        self._live()
        outcome = self._script(self.assignments[-1])
        if outcome is None:
            self.dismissed.wait(timeout_s)
            return None
        return outcome.SerializeToString()

    def held_bytes(self) -> int:
        return self._held_bytes

    def dismiss(self) -> None:
        self.dismissed.set()

    def _live(self) -> None:
        if self.dead:
            raise ActorLost("the test ended it")


class FakeCrew:
    """Hires one actor a script; after the last script, that one again."""

    def __init__(self, *scripts: Script, held_bytes: int = WARM_BYTES) -> None:
        self.hired: list[FakeActor] = []
        self.gone = False
        self._scripts = list(scripts)
        self._held_bytes = held_bytes

    def hire(self) -> Actor:
        script = self._scripts[min(len(self.hired), len(self._scripts) - 1)]
        self.hired.append(FakeActor(script, self._held_bytes))
        return self.hired[-1]

    def check(self) -> None:
        if self.gone:
            raise ClusterLost("the test took it away")
