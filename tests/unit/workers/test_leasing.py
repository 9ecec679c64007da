"""The lease loop, with a real door and actors that do as they are told."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from google.rpc import code_pb2, status_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from tests.fakes.assignments import ROWS, lora_assignment
from tests.fakes.crew import DEVICE, MEASURED, PROBES, WARM_BYTES, FakeCrew
from tests.fakes.worker_door import FakeDoor
from workers import slot
from workers.crew import ActorLost, ClusterLost
from workers.door import Door
from workers.leasing import Leasing
from workers.slot import MAX_GROWTH_BYTES

SUCCEEDED = worker.Outcome(succeeded=worker.Succeeded())
Start = Callable[[FakeCrew], "Running"]


class Running:
    """A lease loop in a thread."""

    def __init__(self, door: Door, crew: FakeCrew) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        pool = worker.RegisterPoolRequest(pool_id="pool", providers=["local"])
        self._leasing = Leasing(door, crew, pool, self.stop)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._leasing.run()
        except BaseException as error:
            self.error = error

    def end(self, timeout_s: float = 5) -> float:
        """Stop it; returns the seconds that took."""
        began = time.monotonic()
        self.stop.set()
        self.join(timeout_s)
        return time.monotonic() - began

    def join(self, timeout_s: float = 10) -> None:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive()


@pytest.fixture
def start(door: Door) -> Iterator[Start]:
    running: list[Running] = []

    def begin(crew: FakeCrew) -> Running:
        running.append(Running(door, crew))
        return running[-1]

    yield begin
    for one in running:
        one.end()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition(), "it did not happen in time"


def lost(_: worker.Assignment) -> worker.Outcome:
    raise ActorLost("it fell over")


def test_a_pool_is_ready_once_its_actor_is_warm(server: FakeDoor, start: Start) -> None:
    start(FakeCrew(lambda _: SUCCEEDED))
    server.wait_for(lambda: "Lease" in server.calls)
    assert [pool.ready for pool in server.pools] == [False, True]
    assert list(server.pools[-1].devices) == [DEVICE]
    assert list(server.pools[-1].providers) == ["local"]


def test_jobs_run_one_after_another_on_one_actor(server: FakeDoor, start: Start) -> None:
    jobs = [server.add_job(lora_assignment(), ROWS) for _ in range(3)]
    crew = FakeCrew(lambda _: SUCCEEDED)
    start(crew)
    wait_until(lambda: bool(crew.hired) and len(crew.hired[0].assignments) == 3)
    given = [assignment.lease.job_id for assignment in crew.hired[0].assignments]
    assert given == [job.assignment.lease.job_id for job in jobs]
    assert crew.hired[0].assignments[0] == jobs[0].assignment
    assert len(crew.hired) == 1


def test_a_job_whose_actor_died_is_given_back_and_run_by_another(server: FakeDoor, start: Start) -> None:
    job = server.add_job(lora_assignment(), ROWS)
    crew = FakeCrew(lost, lambda _: SUCCEEDED)
    start(crew)
    wait_until(lambda: len(crew.hired) == 2 and bool(crew.hired[1].assignments))
    assert job.released == ["it fell over"]
    assert job.stopped_on_purpose == []
    assert crew.hired[0].dismissed.is_set()
    assert crew.hired[1].assignments[0].attempt == 2


def test_giving_back_a_job_that_is_no_longer_ours_is_no_trouble(server: FakeDoor, start: Start) -> None:
    def fenced(_: worker.Assignment) -> worker.Outcome:
        server.fence(job)
        raise ActorLost("its lease was lost")

    job = server.add_job(lora_assignment(), ROWS)
    crew = FakeCrew(fenced, lambda _: SUCCEEDED)
    start(crew)
    wait_until(lambda: len(crew.hired) == 2)
    server.wait_for(lambda: server.calls.count("Lease") == 2)
    assert job.released == []


def test_an_idle_actor_that_dies_is_replaced_before_a_job_comes(server: FakeDoor, start: Start) -> None:
    crew = FakeCrew(lambda _: SUCCEEDED)
    start(crew)
    server.wait_for(lambda: "Lease" in server.calls)
    crew.hired[0].dead = True
    wait_until(lambda: len(crew.hired) == 2)
    job = server.add_job(lora_assignment(), ROWS)
    wait_until(lambda: bool(crew.hired[1].assignments))
    assert (job.assignment.attempt, job.released) == (1, [])


@pytest.mark.parametrize(
    ("code", "actors"),
    [
        (code_pb2.INTERNAL, 2),
        (code_pb2.RESOURCE_EXHAUSTED, 2),
        (code_pb2.INVALID_ARGUMENT, 1),
        (code_pb2.FAILED_PRECONDITION, 1),
    ],
)
def test_an_actor_that_may_be_sick_is_replaced(server: FakeDoor, start: Start, code: int, actors: int) -> None:
    failed = worker.Outcome(failed=status_pb2.Status(code=code))
    server.add_job(lora_assignment(), ROWS)
    crew = FakeCrew(lambda _: failed, lambda _: SUCCEEDED)
    start(crew)
    server.wait_for(lambda: server.calls.count("Lease") == 2)
    assert len(crew.hired) == actors
    assert crew.hired[0].dismissed.is_set() == (actors == 2)


@pytest.mark.parametrize(("growth", "actors"), [(MAX_GROWTH_BYTES, 1), (MAX_GROWTH_BYTES + 1, 2)])
def test_an_actor_that_keeps_a_jobs_memory_is_replaced(server: FakeDoor, start: Start, growth: int, actors: int) -> None:
    server.add_job(lora_assignment(), ROWS)
    crew = FakeCrew(lambda _: SUCCEEDED, held_bytes=WARM_BYTES + growth)
    start(crew)
    server.wait_for(lambda: server.calls.count("Lease") == 2)
    assert len(crew.hired) == actors


def test_a_door_that_is_away_is_waited_for(server: FakeDoor, start: Start) -> None:
    crew = FakeCrew(lambda _: SUCCEEDED)
    running = start(crew)
    server.wait_for(lambda: "Lease" in server.calls)
    server.stop()
    time.sleep(1)
    assert running.error is None
    server.pools.clear()
    job = server.add_job(lora_assignment(), ROWS)
    server.start()
    wait_until(lambda: bool(crew.hired[0].assignments))
    # A service that came back with an empty database knows the pool again.
    assert server.pools[0].pool_id == "pool"
    assert job.assignment.attempt == 1
    assert len(crew.hired) == 1


def test_an_idle_agent_stops_at_once(server: FakeDoor, start: Start) -> None:
    crew = FakeCrew(lambda _: SUCCEEDED)
    running = start(crew)
    server.wait_for(lambda: "Lease" in server.calls)
    assert running.end() < 2
    assert crew.hired[0].dismissed.is_set()
    assert running.error is None


def test_an_agent_that_stops_gives_its_job_back(server: FakeDoor, start: Start) -> None:
    job = server.add_job(lora_assignment(), ROWS)
    crew = FakeCrew(lambda _: None)
    running = start(crew)
    wait_until(lambda: bool(crew.hired) and bool(crew.hired[0].assignments))
    assert running.end() < 2
    assert job.released == job.stopped_on_purpose == ["the pool's agent was stopped"]
    assert crew.hired[0].dismissed.is_set()


def test_an_agent_whose_ray_is_gone_ends(server: FakeDoor, start: Start) -> None:
    crew = FakeCrew(lambda _: SUCCEEDED)
    running = start(crew)
    server.wait_for(lambda: "Lease" in server.calls)
    crew.gone = True
    running.join()
    assert isinstance(running.error, ClusterLost)


def test_an_idle_pool_measures_itself_and_says_so(server: FakeDoor, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "IDLE_BEFORE_PROBE_S", 0.0)
    crew = FakeCrew(lambda _: SUCCEEDED)
    start(crew)
    server.wait_for(lambda: any(device.HasField("measurement") for pool in server.pools for device in pool.devices))
    # It was ready before, so that nobody waited for it.
    assert [(pool.ready, pool.devices[0].HasField("measurement")) for pool in server.pools if pool.devices] == [
        (True, False),
        (True, True),
    ]
    assert crew.hired[0].probes == PROBES


def test_what_was_measured_holds_for_the_next_actor(server: FakeDoor, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "IDLE_BEFORE_PROBE_S", 0.0)
    crew = FakeCrew(lost, lambda _: SUCCEEDED)
    start(crew)
    server.wait_for(lambda: any(device.HasField("measurement") for pool in server.pools for device in pool.devices))
    server.add_job(lora_assignment(), ROWS)
    wait_until(lambda: len(crew.hired) == 2 and bool(crew.hired[1].assignments))
    assert crew.hired[1].probes == 0
    assert list(server.pools[-1].devices) == [MEASURED]


def test_a_pool_with_work_does_not_measure_itself(server: FakeDoor, start: Start) -> None:
    for _ in range(3):
        server.add_job(lora_assignment(), ROWS)
    crew = FakeCrew(lambda _: SUCCEEDED)
    start(crew)
    wait_until(lambda: bool(crew.hired) and len(crew.hired[0].assignments) == 3)
    assert crew.hired[0].probes == 0
