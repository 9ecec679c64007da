"""Several slots of one pool: each job gets what it asked for, and one's trouble is not another's."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from tests.fakes.assignments import ROWS, lora_assignment
from tests.fakes.crew import DEVICE, FakeCrew
from tests.fakes.worker_door import FakeDoor, FakeJob
from tests.unit.workers.test_leasing import Running, Start, lost, start, wait_until
from workers import slot
from workers.crew import Place

__all__ = ["start"]

SUCCEEDED = worker.Outcome(succeeded=worker.Succeeded())
A100 = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name="NVIDIA A100-SXM4-80GB", memory_bytes=80)
L4 = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name="NVIDIA L4", memory_bytes=24)
PART = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name="NVIDIA A100-SXM4-80GB MIG 3g.40gb", memory_bytes=40, partition=True)


class Gate:
    """Jobs that run until the test lets them go; a job that has been lost is not let go again."""

    def __init__(self) -> None:
        self._open: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self.running: set[str] = set()

    def script(self, assignment: worker.Assignment) -> worker.Outcome | None:
        job_id = assignment.lease.job_id
        with self._lock:
            self.running.add(job_id)
            gate = self._open.setdefault(job_id, threading.Event())
        if not gate.wait(0.02):
            return None
        with self._lock:
            self.running.discard(job_id)
        return SUCCEEDED

    def let(self, job: FakeJob) -> None:
        with self._lock:
            self._open.setdefault(job.assignment.lease.job_id, threading.Event()).set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    monkeypatch.setattr(slot, "SHORT_LEASE_WAIT_S", 0.2)
    yield Gate()


def job(server: FakeDoor, **hardware: Any) -> FakeJob:
    assignment = lora_assignment()
    ParseDict(hardware, assignment.configuration.hardware)
    return server.add_job(assignment, ROWS)


def ids(*jobs: FakeJob) -> set[str]:
    return {one.assignment.lease.job_id for one in jobs}


def crew_of(gate: Gate, *gpus: pool_pb2.Device, processors: int = 1) -> FakeCrew:
    """A pool with these GPUs, and the processor beside them."""
    crew = FakeCrew(gate.script)
    crew.gpus = dict(enumerate(gpus))
    crew.stands = [Place(number, "node", 2, gpu=True, partition="MIG-x" * gpu.partition) for number, gpu in enumerate(gpus)]
    crew.stands += [Place(len(gpus) + number, only_without_gpu=bool(gpus)) for number in range(processors)]
    return crew


def test_a_processor_runs_as_many_jobs_as_it_has_actors(server: FakeDoor, start: Start, gate: Gate) -> None:
    jobs = [job(server) for _ in range(3)]
    start(crew_of(gate, processors=2))
    wait_until(lambda: len(gate.running) == 2)
    assert gate.running == ids(*jobs[:2])
    assert server.pools[-1].slot_count == 2
    assert list(server.pools[-1].devices) == [DEVICE]
    gate.let(jobs[0])
    wait_until(lambda: gate.running == ids(*jobs[1:]))


def test_an_actor_that_dies_loses_only_its_own_job(server: FakeDoor, start: Start, gate: Gate) -> None:
    jobs = [job(server), job(server)]
    crew = crew_of(gate, processors=2)
    start(crew)
    wait_until(lambda: len(gate.running) == 2)
    (hit,) = [actor for actor in crew.hired if actor.assignments[0].lease.job_id in ids(jobs[0])]
    hit.dead = True
    wait_until(lambda: jobs[0].assignment.attempt == 2)
    assert jobs[0].released == ["the test ended it"]
    assert (jobs[1].assignment.attempt, jobs[1].released) == (1, [])
    assert len(crew.hired) == 3


def test_each_gpu_has_a_job_of_its_own_and_the_processor_takes_what_needs_none(
    server: FakeDoor, start: Start, gate: Gate
) -> None:
    anywhere = [job(server) for _ in range(3)]
    without = job(server, num_gpus=0)
    named = job(server, gpu_type="L4")
    crew = crew_of(gate, A100, L4)
    start(crew)
    wait_until(lambda: len(gate.running) == 3)
    assert without.assignment.lease.job_id in gate.running
    assert sorted(device.name for device in server.pools[-1].devices) == sorted([DEVICE.name, A100.name, L4.name])
    # One waits, though the processor is done: it would rather have a GPU.
    gate.let(without)
    wait_until(lambda: len(gate.running) == 2)
    for one in anywhere:
        gate.let(one)
    wait_until(lambda: gate.running == ids(named))
    where = {actor.assignments[-1].lease.job_id: at for actor, at in zip(crew.hired, crew.hired_at, strict=True)}
    assert where[named.assignment.lease.job_id] == [1]


def test_two_jobs_share_a_gpu_and_a_whole_one_waits(server: FakeDoor, start: Start, gate: Gate) -> None:
    halves = [job(server, gpu_share=0.5) for _ in range(3)]
    whole = job(server, num_gpus=1)
    crew = crew_of(gate, A100, processors=0)
    start(crew)
    wait_until(lambda: gate.running == ids(*halves[:2]))
    time.sleep(0.5)
    assert gate.running == ids(*halves[:2])
    assert crew.hired_at == [[0], [0]]
    gate.let(halves[0])
    wait_until(lambda: gate.running == ids(*halves[1:]))
    gate.let(halves[1])
    gate.let(halves[2])
    wait_until(lambda: gate.running == ids(whole))
    # The actor that is not needed any more is gone.
    wait_until(lambda: sum(not actor.dismissed.is_set() for actor in crew.hired) == 1)


def test_a_share_too_large_for_what_is_left_waits(server: FakeDoor, start: Start, gate: Gate) -> None:
    small, large, fitting = job(server, gpu_share=0.4), job(server, gpu_share=0.7), job(server, gpu_share=0.6)
    start(crew_of(gate, A100, processors=0))
    wait_until(lambda: gate.running == ids(small, fitting))
    gate.let(small)
    gate.let(fitting)
    wait_until(lambda: gate.running == ids(large))


def test_a_job_on_two_gpus_takes_both_and_gives_them_back(server: FakeDoor, start: Start, gate: Gate) -> None:
    crew = crew_of(gate, A100, A100)
    start(crew)
    server.wait_for(lambda: server.calls.count("Lease") >= 3)
    both = job(server, num_gpus=2)
    wait_until(lambda: gate.running == ids(both))
    together = crew.hired[-1]
    assert sorted(crew.hired_at[-1]) == [0, 1]
    assert sorted(crew.vacated) == [0, 1]
    single = [job(server, num_gpus=1), job(server, num_gpus=1)]
    time.sleep(0.5)
    assert gate.running == ids(both)
    gate.let(both)
    wait_until(lambda: gate.running == ids(*single))
    assert together.dismissed.is_set()
    assert (both.assignment.attempt, both.released) == (1, [])


def test_a_job_on_two_gpus_waits_until_both_are_free(server: FakeDoor, start: Start, gate: Gate) -> None:
    crew = crew_of(gate, A100, A100, processors=0)
    one = job(server, num_gpus=1)
    start(crew)
    wait_until(lambda: gate.running == ids(one))
    both = job(server, num_gpus=2)
    time.sleep(0.6)
    assert gate.running == ids(one)
    gate.let(one)
    wait_until(lambda: gate.running == ids(both))
    # What a slot offers may be a moment old; then the job is given back, and that speaks not against it.
    assert both.released == both.stopped_on_purpose


def test_a_job_on_two_gpus_is_not_put_on_two_different_ones_or_on_partitions(server: FakeDoor, start: Start, gate: Gate) -> None:
    both = job(server, num_gpus=2)
    single = [job(server, num_gpus=1) for _ in range(4)]
    crew = crew_of(gate, A100, L4, PART, PART)
    start(crew)
    wait_until(lambda: gate.running == ids(*single))
    assert both.assignment.attempt == 0
    assert [device.partition for device in server.pools[-1].devices].count(True) == 2


def test_processes_on_a_processor_take_the_place_of_its_actor(server: FakeDoor, start: Start, gate: Gate) -> None:
    two = job(server, num_processes=2)
    after = job(server)
    crew = crew_of(gate)
    start(crew)
    wait_until(lambda: gate.running == ids(two))
    assert crew.hired[0].dismissed.is_set()
    assert crew.hired[0].assignments == []
    assert len(crew.hired[1].assignments) == 1
    gate.let(two)
    wait_until(lambda: gate.running == ids(after))
    assert len(crew.hired) == 3


def test_processes_that_lose_one_of_them_give_their_job_back(server: FakeDoor, start: Start, gate: Gate) -> None:
    two = job(server, num_processes=2)
    crew = FakeCrew(lost, lost, gate.script)
    start(crew)
    wait_until(lambda: gate.running == ids(two))
    assert two.released == ["it fell over"]
    assert two.assignment.attempt == 2
    assert crew.hired[1].dismissed.is_set()


def test_an_agent_that_stops_gives_every_job_back(server: FakeDoor, start: Start, gate: Gate) -> None:
    jobs = [job(server, gpu_share=0.5), job(server, gpu_share=0.5), job(server, num_gpus=0)]
    crew = crew_of(gate, A100)
    running: Running = start(crew)
    wait_until(lambda: gate.running == ids(*jobs))
    assert running.end() < 2
    assert [one.stopped_on_purpose for one in jobs] == [["the pool's agent was stopped"]] * 3
    assert all(actor.dismissed.is_set() for actor in crew.hired)


def test_a_gpu_that_torch_does_not_see_runs_nothing_on_the_processor(server: FakeDoor, start: Start, gate: Gate) -> None:
    crew = crew_of(gate, A100)
    crew.gpus = {}
    on_gpu, without = job(server), job(server, num_gpus=0)
    start(crew)
    wait_until(lambda: gate.running == ids(without))
    time.sleep(0.3)
    assert on_gpu.assignment.attempt == 0


def test_every_slot_offers_what_it_has(server: FakeDoor, start: Start, gate: Gate) -> None:
    offers: list[worker.SlotOffer] = []
    take: Callable[..., Any] = server.Lease

    def remember(request: worker.LeaseRequest, context: Any) -> Any:
        offers.append(request.offer)
        return take(request, context)

    server.Lease = remember  # type: ignore[method-assign]  # the door's servicer looks it up when it starts
    server.stop()
    server.start()
    start(crew_of(gate, A100, A100, L4))
    wait_until(lambda: len({offer.SerializeToString() for offer in offers if offer.gpu_count == 2}) == 1)
    wait_until(lambda: {offer.device_name for offer in offers} == {A100.name, L4.name, DEVICE.name})
    assert all(offer.gpu_count == 1 and offer.free_share == 1 for offer in offers if offer.device_name == L4.name)
    assert all(offer.only_without_gpu and offer.gpu_count == 0 for offer in offers if offer.device_name == DEVICE.name)
