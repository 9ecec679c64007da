"""Training actors without processes: each follows the script that the test wrote for it."""

import threading
from collections.abc import Callable, Sequence

from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import inquiry_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.crew import Actor, ActorLost, ClusterLost, Estimator, Place, Runner, Warm

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

    def __init__(self, script: Script, held_bytes: int, devices: list[pool_pb2.Device]) -> None:
        self.devices = devices
        self.assignments: list[worker.Assignment] = []
        self.dismissed = threading.Event()
        self.dead = False
        self.probes = 0
        self._script = script
        self._held_bytes = held_bytes

    def wait_warm(self, timeout_s: float) -> Warm | None:
        self._live()
        return Warm(self.devices, 0.1, WARM_BYTES)

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
    """Hires one actor a script; after the last script, that one again. Estimators do what `answering` does.

    Set `stands` for more places than one, and `gpus` for what their actors find there.
    """

    answering: Answering = staticmethod(lambda inquiry: inquiry_pb2.InquiryAnswer())

    def __init__(self, *scripts: Script, held_bytes: int = WARM_BYTES) -> None:
        self.hired: list[FakeActor] = []
        self.estimators: list[FakeEstimator] = []
        self.gone = False
        self.stands = [Place()]
        self.gpus: dict[int, pool_pb2.Device] = {}
        # Numbers of the places of each actor in `hired`, and of those that were given back.
        self.hired_at: list[list[int]] = []
        self.vacated: list[int] = []
        self._scripts = list(scripts)
        self._held_bytes = held_bytes
        self._lock = threading.Lock()

    def places(self) -> list[Place]:
        return self.stands

    def hire(self, place: Place) -> Actor:
        return self._hire([place])

    def hire_several(self, places: Sequence[Place], process_count: int) -> Runner:
        return self._hire(places)

    def vacate(self, place: Place) -> None:
        self.vacated.append(place.number)

    def hire_estimator(self) -> Estimator:
        self.estimators.append(FakeEstimator(self.answering))
        return self.estimators[-1]

    def check(self) -> None:
        if self.gone:
            raise ClusterLost("the test took it away")

    def _hire(self, places: Sequence[Place]) -> FakeActor:
        with self._lock:
            script = self._scripts[min(len(self.hired), len(self._scripts) - 1)]
            gpus = [self.gpus[place.number] for place in places if place.number in self.gpus]
            self.hired_at.append([place.number for place in places])
            self.hired.append(FakeActor(script, self._held_bytes, [DEVICE, *gpus]))
            return self.hired[-1]
