"""Where an attempt stood outlives it: the next attempt is given it, and nobody else."""

from pathlib import Path

import grpc
import pytest
from tunesmith.job.v1 import artifact_pb2, job_service_pb2
from tunesmith.job.v1 import job_state_pb2 as states
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.job.domain import MAX_LOST_ATTEMPTS
from tests.unit.services.job.conftest import House

STATE = artifact_pb2.ARTIFACT_KIND_TRAINING_STATE
SUCCEEDED = door.Outcome(succeeded=door.Succeeded())


async def store_state(house: House, lease: door.LeaseToken, step: int) -> str:
    return await house.store(lease, name="training-state", kind=STATE, step=step)


async def lose(house: House, lease: door.LeaseToken, **fields: object) -> None:
    await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=lease, reason="it was killed", **fields))  # type: ignore[arg-type]


async def read(house: House, lease: door.LeaseToken, path: str) -> bytes:
    request = door.ReadTrainingStateFileRequest(lease=lease, path=path)
    return b"".join([part.chunk async for part in house.worker.ReadTrainingStateFile(request)])


def files(house: House, job_id: str) -> list[Path]:
    return list((house.home / "artifacts" / job_id).iterdir())


async def test_the_next_attempt_is_given_what_the_last_one_stored(house: House) -> None:
    job = await house.create()
    first = await house.lease()
    assert not first.HasField("training_state")
    await store_state(house, first.lease, 3)
    await store_state(house, first.lease, 7)
    await lose(house, first.lease)
    second = await house.lease()
    assert second.training_state.step == 7
    (file,) = second.training_state.files
    assert (file.path, file.size_bytes) == ("adapter_model.safetensors", 7)
    assert await read(house, second.lease, file.path) == b"weights"
    assert len(files(house, job.id)) == 1


async def test_storing_the_same_step_again_changes_nothing(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    assert await store_state(house, lease, 3) == await store_state(house, lease, 3)
    assert await store_state(house, lease, 4) != await store_state(house, lease, 5)
    assert len(files(house, job.id)) == 1


async def test_only_the_leases_holder_reads_it(house: House) -> None:
    await house.create()
    stale = (await house.lease()).lease
    await store_state(house, stale, 3)
    await lose(house, stale)
    fresh = (await house.lease()).lease
    with pytest.raises(grpc.aio.AioRpcError, match="is over"):
        await read(house, stale, "adapter_model.safetensors")
    with pytest.raises(grpc.aio.AioRpcError, match="the assignment lists"):
        await read(house, fresh, "another")


@pytest.mark.parametrize("way", ["succeeded", "cancelled", "cancelled while paused"])
async def test_it_is_gone_when_nobody_needs_it(house: House, way: str) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    await store_state(house, lease, 3)
    outcome = {"succeeded": SUCCEEDED, "cancelled": door.Outcome(cancelled=door.Cancelled())}
    if way == "cancelled while paused":
        await house.jobs.PauseJob(job_service_pb2.PauseJobRequest(id=job.id))
        await house.report(lease, 1, outcome=door.Outcome(paused=door.Paused()))
    if way != "succeeded":
        await house.jobs.CancelJob(job_service_pb2.CancelJobRequest(id=job.id))
    if way in outcome:
        await house.report(lease, 1, outcome=outcome[way])
    assert files(house, job.id) == []
    assert not (await house.jobs.ListArtifacts(job_service_pb2.ListArtifactsRequest(job_id=job.id))).artifacts


async def test_an_attempt_that_got_further_starts_the_count_of_lost_ones_anew(house: House) -> None:
    job = await house.create()
    for step in range(1, 2 * MAX_LOST_ATTEMPTS):
        lease = (await house.lease()).lease
        await store_state(house, lease, step)
        await lose(house, lease)
    assert (await house.get(job.id)).state == states.JOB_STATE_QUEUED
    for _ in range(MAX_LOST_ATTEMPTS - 1):
        lease = (await house.lease()).lease
        # As far as the one before, and no further.
        await store_state(house, lease, 2 * MAX_LOST_ATTEMPTS - 1)
        await lose(house, lease)
    failed = await house.get(job.id)
    assert failed.state == states.JOB_STATE_FAILED
    assert "got no further" in failed.error.message
    # Whoever looks into it finds where it stood.
    assert len(files(house, job.id)) == 1


async def test_a_pool_that_was_stopped_does_not_count_against_the_job(house: House) -> None:
    job = await house.create()
    for _ in range(2 * MAX_LOST_ATTEMPTS):
        await lose(house, (await house.lease()).lease, stopped_on_purpose=True)
    assert (await house.get(job.id)).state == states.JOB_STATE_QUEUED


async def test_an_agent_that_was_started_anew_gives_up_what_it_had(house: House) -> None:
    job = await house.create()
    lease = (await house.lease(instance_id="first")).lease
    await house.register(instance_id="first")
    assert (await house.get(job.id)).state == states.JOB_STATE_RUNNING
    await house.register(instance_id="second")
    assert (await house.get(job.id)).state == states.JOB_STATE_QUEUED
    with pytest.raises(grpc.aio.AioRpcError, match="is over"):
        await house.report(lease, 1)
    assert (await house.lease(instance_id="second")).attempt == 2
