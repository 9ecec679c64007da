"""Training actors without processes: each follows the script that the test wrote for it."""

import threading
from collections.abc import Callable

from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import inquiry_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.crew import Actor, ActorLost, ClusterLost, Estimator, Warm

DEVICE = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="chip", core_count=2, memory_bytes=1000)
# What it is once it was measured, which takes so many moments.
MEASURED = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="chip", core_count=2, memory_bytes=1000)
MEASURED.measurement.probe_seconds = 2
PROBES = 2
WARM_BYTES = 1000
# What an actor does with an assignment: an outcome, None for a job that never ends, or an exception.
Script = Callable[[worker.Assignment], worker.Outcome | None]


class FakeActor:
    """An actor that is warm at once."""

    def __init__(self, script: Script, held_bytes: int) -> None:
        self.assignments: list[worker.Assignment] = []
        self.dismissed = threading.Event()
        self.dead = False
        self.probes = 0
        self._script = script
        self._held_bytes = held_bytes

    def wait_warm(self, timeout_s: float) -> Warm | None:
        self._live()
        return Warm([DEVICE], 0.1, WARM_BYTES)

    def probe(self, seconds: float) -> list[pool_pb2.Device] | None:
        self._live()
        self.probes += 1
        return None if self.probes < PROBES else [MEASURED]

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


# What an estimator answers, None for one that is still at it, or an exception.
Answering = Callable[[inquiry_pb2.Inquiry], inquiry_pb2.InquiryAnswer | None]


class FakeEstimator:
    """An estimator that answers as the test says."""

    def __init__(self, answering: Answering) -> None:
        self.dismissed = threading.Event()
        self._answering = answering
        self._inquiry = inquiry_pb2.Inquiry()

    def start(self, inquiry_bytes: bytes) -> None:
        self._inquiry = inquiry_pb2.Inquiry.FromString(inquiry_bytes)

    def wait_answer(self, timeout_s: float) -> bytes | None:
        answer = self._answering(self._inquiry)
        return None if answer is None else answer.SerializeToString()

    def dismiss(self) -> None:
        self.dismissed.set()


class FakeCrew:
    """Hires one actor a script; after the last script, that one again. Estimators do what `answering` does."""

    answering: Answering = staticmethod(lambda inquiry: inquiry_pb2.InquiryAnswer())

    def __init__(self, *scripts: Script, held_bytes: int = WARM_BYTES) -> None:
        self.hired: list[FakeActor] = []
        self.estimators: list[FakeEstimator] = []
        self.gone = False
        self._scripts = list(scripts)
        self._held_bytes = held_bytes

    def hire(self) -> Actor:
        script = self._scripts[min(len(self.hired), len(self._scripts) - 1)]
        self.hired.append(FakeActor(script, self._held_bytes))
        return self.hired[-1]

    def hire_estimator(self) -> Estimator:
        self.estimators.append(FakeEstimator(self.answering))
        return self.estimators[-1]

    def check(self) -> None:
        if self.gone:
            raise ClusterLost("the test took it away")
