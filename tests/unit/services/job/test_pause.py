"""A job waits because a person said so, and goes on."""

import grpc
import pytest
from tunesmith.job.v1 import job_pb2, job_service_pb2
from tunesmith.job.v1 import job_state_pb2 as states
from tunesmith.worker.v1 import worker_service_pb2 as door

from tests.unit.services.job.conftest import POOL, House

PAUSED = door.Outcome(paused=door.Paused())
SUCCEEDED = door.Outcome(succeeded=door.Succeeded())


async def pause(house: House, job_id: str, request_id: str = "") -> job_pb2.Job:
    return (await house.jobs.PauseJob(job_service_pb2.PauseJobRequest(id=job_id, request_id=request_id))).job


async def resume(house: House, job_id: str, request_id: str = "") -> job_pb2.Job:
    return (await house.jobs.ResumeJob(job_service_pb2.ResumeJobRequest(id=job_id, request_id=request_id))).job


async def heard(house: House, lease: door.LeaseToken) -> door.Directive:
    return (await house.worker.Heartbeat(door.HeartbeatRequest(pool_id=POOL, lease=lease))).directive


async def test_a_queued_job_is_paused_at_once_and_no_pool_gets_it(house: House) -> None:
    job = await house.create()
    assert (await pause(house, job.id)).state == states.JOB_STATE_PAUSED
    assert not (await house.lease()).lease.job_id
    assert (await resume(house, job.id)).state == states.JOB_STATE_QUEUED
    assert (await house.lease()).lease.job_id == job.id


async def test_a_running_job_is_paused_through_its_worker_and_goes_on_as_another_attempt(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    asked = await pause(house, job.id)
    assert (asked.state, asked.pause_requested) == (states.JOB_STATE_RUNNING, True)
    assert await heard(house, lease) == door.DIRECTIVE_PAUSE
    assert (await house.report(lease, 1, outcome=PAUSED)).directive
    waiting = await house.get(job.id)
    assert (waiting.state, waiting.pause_requested) == (states.JOB_STATE_PAUSED, False)
    await resume(house, job.id)
    second = await house.lease()
    assert (second.lease.job_id, second.attempt) == (job.id, 2)
    assert await heard(house, second.lease) == door.DIRECTIVE_CONTINUE


async def test_saying_it_twice_changes_nothing(house: House) -> None:
    job = await house.create()
    await house.lease()
    for _ in range(2):
        await pause(house, job.id)
    for _ in range(2):
        assert not (await resume(house, job.id)).pause_requested
    assert (await house.events(job.id))[2:] == [
        "Pause requested; the worker stores where it stands and stops at its next step.",
        "The pause was taken back.",
    ]


async def test_a_repeated_request_does_not_pause_a_job_that_was_resumed_since(house: House) -> None:
    job = await house.create()
    first = await pause(house, job.id, "once")
    await resume(house, job.id)
    assert await pause(house, job.id, "once") == first
    assert (await house.get(job.id)).state == states.JOB_STATE_QUEUED


async def test_a_worker_that_stopped_for_a_pause_taken_back_is_queued_again(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    await pause(house, job.id)
    await resume(house, job.id)
    await house.report(lease, 1, outcome=PAUSED)
    assert (await house.get(job.id)).state == states.JOB_STATE_QUEUED
    assert (await house.lease()).attempt == 2


async def test_a_worker_lost_while_pausing_leaves_a_paused_job(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    await pause(house, job.id)
    await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=lease, reason="it was killed"))
    assert (await house.get(job.id)).state == states.JOB_STATE_PAUSED
    assert (await house.events(job.id))[-1] == "Attempt 1 lost its worker: it was killed. The job waits, as a person asked."


async def test_a_worker_may_end_before_it_sees_the_pause(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    await pause(house, job.id)
    await house.report(lease, 1, outcome=SUCCEEDED)
    done = await house.get(job.id)
    assert (done.state, done.pause_requested) == (states.JOB_STATE_SUCCEEDED, False)


async def test_a_paused_job_can_be_cancelled(house: House) -> None:
    job = await house.create()
    await pause(house, job.id)
    await house.jobs.CancelJob(job_service_pb2.CancelJobRequest(id=job.id))
    assert (await house.get(job.id)).state == states.JOB_STATE_CANCELLED


@pytest.mark.parametrize("act", [pause, resume])
@pytest.mark.parametrize("state", ["CANCELLED", "CANCELLING"])
async def test_a_job_that_ends_neither_waits_nor_goes_on(house: House, act: object, state: str) -> None:
    job = await house.create()
    if state == "CANCELLING":
        await house.lease()
    await house.jobs.CancelJob(job_service_pb2.CancelJobRequest(id=job.id))
    with pytest.raises(grpc.aio.AioRpcError, match=f"JOB_STATE_{state} and can't be .* create it again") as caught:
        await act(house, job.id)  # type: ignore[operator]
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("act", [pause, resume])
async def test_a_job_that_is_not_there_is_said_to_be_missing(house: House, act: object) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="GET /v1/jobs lists them"):
        await act(house, "nothing")  # type: ignore[operator]
