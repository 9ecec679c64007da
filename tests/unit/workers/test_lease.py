"""What ends an attempt from outside."""

import time

import pytest
from tunesmith.worker.v1 import worker_service_pb2 as worker

from tests.fakes.assignments import ROWS, lora_assignment
from tests.fakes.worker_door import FakeDoor
from workers.door import Door
from workers.lease import Lease
from workers.training.sink import Stopped


def make_lease(server: FakeDoor, door: Door, abandoned: list[str], cancel_grace_s: float) -> Lease:
    job = server.add_job(lora_assignment(lease_seconds=0.3), ROWS)
    job.directive = worker.DIRECTIVE_CANCEL
    lease = Lease(door, "pool", server.take(job), abandoned.append, cancel_grace_s)
    lease.start()
    server.wait_for(lambda: job.heartbeats >= 2)
    return lease


def test_a_cancellation_that_nobody_heeds_ends_the_attempt(server: FakeDoor, door: Door) -> None:
    abandoned: list[str] = []
    lease = make_lease(server, door, abandoned, cancel_grace_s=0.3)
    end = time.monotonic() + 10
    while not abandoned and time.monotonic() < end:
        time.sleep(0.01)
    assert abandoned == ["the job was cancelled and did not stop within 0.3 s"]
    assert lease.is_lost()


def test_a_cancelled_attempt_that_reports_its_end_is_left_in_peace(server: FakeDoor, door: Door) -> None:
    abandoned: list[str] = []
    lease = make_lease(server, door, abandoned, cancel_grace_s=0.3)
    lease.end()
    time.sleep(0.6)
    assert abandoned == []
    lease.give_up()


def test_work_that_waits_stops_at_once_when_the_job_is_cancelled(server: FakeDoor, door: Door) -> None:
    lease = make_lease(server, door, [], cancel_grace_s=60)
    began = time.monotonic()
    with pytest.raises(Stopped) as stopped:
        lease.pause_work(30)
    assert stopped.value.directive == worker.DIRECTIVE_CANCEL
    assert time.monotonic() - began < 1
    # Its report is still owed.
    lease.pause_report(0.01)
    lease.give_up()


def test_a_lease_that_was_given_up_beats_no_more(server: FakeDoor, door: Door) -> None:
    lease = make_lease(server, door, [], cancel_grace_s=60)
    lease.give_up()
    time.sleep(0.15)
    count = server.calls.count("Heartbeat")
    time.sleep(0.5)
    assert server.calls.count("Heartbeat") == count
