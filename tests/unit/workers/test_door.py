"""What the door's answers mean to a worker."""

import time

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.ids import new_id
from tests.fakes.assignments import ROWS, lora_assignment
from tests.fakes.worker_door import FakeDoor
from workers.door import (
    FRESH_CHANNEL_AFTER_S,
    LONGEST_BACKOFF_S,
    UNCLEAR_TRIES,
    Away,
    Door,
    LeaseLost,
    Refused,
    Unclear,
    backoff_s,
    failure_of,
    persistently,
)


def status(code: grpc.StatusCode, reason: str | None = None) -> status_pb2.Status:
    made = status_pb2.Status(code=code.value[0], message="why")
    if reason:
        made.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    return made


@pytest.mark.parametrize(
    ("code", "reason", "meaning"),
    [
        (grpc.StatusCode.ABORTED, "LEASE_LOST", LeaseLost),
        (grpc.StatusCode.ABORTED, None, Away),
        (grpc.StatusCode.UNAVAILABLE, None, Away),
        (grpc.StatusCode.DEADLINE_EXCEEDED, None, Away),
        (grpc.StatusCode.INTERNAL, None, Unclear),
        (grpc.StatusCode.NOT_FOUND, None, Refused),
        (grpc.StatusCode.INVALID_ARGUMENT, None, Refused),
    ],
)
def test_a_code_has_one_meaning(code: grpc.StatusCode, reason: str | None, meaning: type) -> None:
    assert type(failure_of(code, status(code, reason))) is meaning


def test_a_lost_lease_is_told_through_the_wire(server: FakeDoor, door: Door) -> None:
    job = server.add_job(lora_assignment(), ROWS)
    assignment = server.take(job)
    door.heartbeat(worker.HeartbeatRequest(pool_id="p", lease=assignment.lease))
    server.fence(job)
    with pytest.raises(LeaseLost, match="lease 1 is over"):
        door.heartbeat(worker.HeartbeatRequest(pool_id="p", lease=assignment.lease))
    assert job.heartbeats == 1


def test_a_stream_that_fails_tells_why(server: FakeDoor, door: Door) -> None:
    assignment = server.take(server.add_job(lora_assignment(), ROWS))
    server.failures["ReadDataset"] = [grpc.StatusCode.INVALID_ARGUMENT]
    request = worker.ReadDatasetRequest(lease=assignment.lease, role=worker.DATASET_ROLE_TRAINING)
    with pytest.raises(Refused, match="because the test says so"):
        list(door.read_dataset(request, len(ROWS)))
    assert b"".join(door.read_dataset(request, len(ROWS))) == ROWS


def test_waiting_for_a_job_ends_when_the_look_says_so(server: FakeDoor, door: Door) -> None:
    class Enough(Exception):
        pass

    def look() -> None:
        raise Enough

    door.register_pool(worker.RegisterPoolRequest(pool_id="p"))
    began = time.monotonic()
    with pytest.raises(Enough):
        door.lease(worker.LeaseRequest(pool_id="p", wait_seconds=25), look)
    assert time.monotonic() - began < 5
    # The server has forgotten the call too: a job that comes now is not given to it.
    time.sleep(0.2)
    server.add_job(lora_assignment(), ROWS)
    answer = door.lease(worker.LeaseRequest(pool_id="p", wait_seconds=5), lambda: None)
    assert answer.HasField("assignment")


def test_a_door_that_is_away_is_tried_until_it_is_back(server: FakeDoor, door: Door) -> None:
    server.failures["RegisterPool"] = [grpc.StatusCode.UNAVAILABLE] * 3
    pauses: list[float] = []
    persistently(lambda: door.register_pool(worker.RegisterPoolRequest(pool_id="p")), pauses.append)
    assert len(pauses) == 3
    assert pauses[0] < pauses[2] <= LONGEST_BACKOFF_S
    assert len(server.pools) == 1


def test_a_server_that_fails_for_minutes_has_refused() -> None:
    pauses: list[float] = []

    def fail() -> None:
        raise Unclear(status(grpc.StatusCode.INTERNAL))

    with pytest.raises(Refused, match="why"):
        persistently(fail, pauses.append)
    assert len(pauses) == UNCLEAR_TRIES - 1


def test_the_backoff_is_bounded_and_spread() -> None:
    waits = [backoff_s(1000) for _ in range(50)]
    assert LONGEST_BACKOFF_S / 2 <= min(waits) < max(waits) <= LONGEST_BACKOFF_S


def test_a_channel_that_fails_for_long_is_replaced() -> None:
    server = FakeDoor()
    server.start()
    now = [0.0]
    door = Door(server.address, clock=lambda: now[0])
    pool = worker.RegisterPoolRequest(pool_id=new_id())
    door.register_pool(pool)
    first = door.channel_count
    server.stop()
    for seconds in (0.0, FRESH_CHANNEL_AFTER_S - 1):
        now[0] = seconds
        with pytest.raises(Away):
            door.register_pool(pool)
    assert door.channel_count == first
    now[0] = FRESH_CHANNEL_AFTER_S + 1
    with pytest.raises(Away):
        door.register_pool(pool)
    assert door.channel_count == first + 1
    server.start()
    persistently(lambda: door.register_pool(pool), time.sleep)
    server.stop()
    assert len(server.pools) == 2
