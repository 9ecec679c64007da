"""When a pool would take a job."""

from tunesmith.job.v1 import job_pb2, job_state_pb2
from tunesmith.pool.v1 import pool_pb2

from services.preflight.estimate.queue import UNKNOWN_JOB_S, WARMING_S, queue_seconds

READY, STARTING, LOST = pool_pb2.POOL_STATE_READY, pool_pb2.POOL_STATE_STARTING, pool_pb2.POOL_STATE_LOST


def pool(name: str, state: pool_pb2.PoolState = READY, provider: str = "local") -> pool_pb2.Pool:
    return pool_pb2.Pool(id=name, state=state, providers=[provider])


def running(on: str, remaining: float | None = None, expected: float | None = None) -> job_pb2.Job:
    job = job_pb2.Job(state=job_state_pb2.JOB_STATE_RUNNING, pool_id=on, provider="local", progress=0.25)
    if remaining is not None:
        job.estimated_remaining_seconds = remaining
    if expected is not None:
        job.predicted.duration_seconds = expected
    return job


def waiting(number: int, expected: float | None = None, provider: str = "local") -> job_pb2.Job:
    job = job_pb2.Job(state=job_state_pb2.JOB_STATE_QUEUED, provider=provider)
    job.create_time.FromSeconds(number)
    if expected is not None:
        job.predicted.duration_seconds = expected
    return job


def test_an_idle_pool_takes_it_at_once() -> None:
    assert queue_seconds([pool("a")], [], "local") == 0
    assert queue_seconds([pool("a", STARTING)], [], "local") == WARMING_S


def test_without_a_pool_nobody_knows() -> None:
    assert queue_seconds([], [], "local") is None
    assert queue_seconds([pool("a", LOST), pool("b", provider="other")], [], "local") is None


def test_it_waits_for_what_runs_and_for_what_waits_longer() -> None:
    jobs = [waiting(2, 30.0), running("a", remaining=100.0), waiting(1, 20.0)]
    assert queue_seconds([pool("a")], jobs, "local") == 150


def test_the_pool_that_is_free_first_takes_what_is_next() -> None:
    pools = [pool("a"), pool("b")]
    jobs = [running("a", remaining=100.0), running("b", remaining=10.0), waiting(1, 50.0), waiting(2, 500.0)]
    # b takes the first at 10 and the second at 60; a is free at 100.
    assert queue_seconds(pools, jobs, "local") == 100


def test_other_providers_jobs_are_not_in_the_way() -> None:
    assert queue_seconds([pool("a")], [waiting(1, 50.0, provider="other")], "local") == 0


def test_a_job_without_a_prediction_takes_what_others_take() -> None:
    assert queue_seconds([pool("a")], [waiting(1), waiting(2, 40.0)], "local") == 80
    assert queue_seconds([pool("a")], [waiting(1)], "local") == UNKNOWN_JOB_S


def test_of_a_running_job_that_does_not_say_the_rest_is_what_was_predicted() -> None:
    assert queue_seconds([pool("a")], [running("a", expected=100.0)], "local") == 75


def test_a_pool_with_room_for_two_takes_two() -> None:
    two = pool("a")
    two.slot_count = 2
    assert queue_seconds([two], [running("a", remaining=100.0)], "local") == 0
    assert queue_seconds([two], [running("a", remaining=100.0), waiting(1, 30.0)], "local") == 30


def test_a_pools_gpus_are_what_jobs_wait_for_and_not_the_processor_beside_them() -> None:
    gpus = pool("a")
    gpus.slot_count = 3
    for _ in range(2):
        gpus.devices.add(kind=pool_pb2.DEVICE_KIND_CUDA)
    busy = [running("a", remaining=100.0), running("a", remaining=50.0)]
    assert queue_seconds([gpus], busy, "local") == 50
