"""A job from its lease to its end, by every way there is."""

import asyncio
import hashlib

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from tunesmith.job.v1 import job_event_pb2, job_service_pb2, metric_pb2
from tunesmith.job.v1 import job_state_pb2 as states
from tunesmith.pool.v1 import pool_pb2, pool_service_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.ids import new_id
from services.chassis.settings import Settings
from services.job.domain import MAX_LOST_ATTEMPTS
from services.job.service import build
from tests.unit.services.job.conftest import POOL, House

SUCCEEDED = door.Outcome(succeeded=door.Succeeded())


async def cancel(house: House, job_id: str) -> states.JobState:
    return (await house.jobs.CancelJob(job_service_pb2.CancelJobRequest(id=job_id))).job.state


def chunk(key: str, *points: tuple[int, float]) -> metric_pb2.MetricChunk:
    steps, values = zip(*points, strict=True)
    return metric_pb2.MetricChunk(key=key, steps=steps, values=values, times_ms=[1000] * len(steps))


async def losses(house: House, job_id: str) -> list[tuple[int, float]]:
    request = job_service_pb2.ListJobMetricsRequest(job_id=job_id, key="train_loss")
    series = (await house.jobs.ListJobMetrics(request)).series
    return [(point.step, point.value) for one in series for point in one.points]


async def test_a_job_runs_and_succeeds(house: House) -> None:
    job = await house.create()
    assignment = await house.lease()
    assert assignment.lease.job_id == job.id
    assert assignment.base_model.id == "model" and assignment.training_dataset.id == "rows"
    assert assignment.configuration.schedule.epochs == 3
    progress = door.Progress(step=5, total_steps=10, epoch=1.5, estimated_remaining_seconds=2)
    await house.report(assignment.lease, 1, progress=progress, metrics=[chunk("train_loss", (5, 2.0))])
    running = await house.get(job.id)
    assert (running.state, running.progress, running.step) == (states.JOB_STATE_RUNNING, 0.5, 5)
    assert (running.epoch, running.estimated_remaining_seconds, running.attempt) == (1.5, 2, 1)
    await house.store(assignment.lease)
    await house.report(assignment.lease, 2, outcome=SUCCEEDED)
    done = await house.get(job.id)
    assert (done.state, done.progress) == (states.JOB_STATE_SUCCEEDED, 1.0)
    assert done.measured.duration_seconds >= 0 and done.HasField("end_time")
    assert not done.HasField("estimated_remaining_seconds")
    assert len(await house.events(job.id)) == 4


async def test_a_report_that_comes_twice_counts_once(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    event = door.ReportedEvent(type=job_event_pb2.JOB_EVENT_TYPE_STAGE, message="Loading")
    for _ in range(3):
        await house.report(lease, 1, events=[event], metrics=[chunk("train_loss", (1, 3.0))])
    assert (await house.events(job.id)).count("Loading") == 1
    assert await losses(house, job.id) == [(1, 3.0)]
    for _ in range(2):
        await house.report(lease, 2, outcome=SUCCEEDED)
    assert (await house.get(job.id)).state == states.JOB_STATE_SUCCEEDED
    with pytest.raises(grpc.aio.AioRpcError, match="is over"):
        await house.report(lease, 3)


async def test_a_report_out_of_order_is_refused(house: House) -> None:
    await house.create()
    lease = (await house.lease()).lease
    with pytest.raises(grpc.aio.AioRpcError, match="send 1 next"):
        await house.report(lease, 2)


async def test_a_lost_worker_is_another_attempt_and_the_third_is_the_end(house: House) -> None:
    job = await house.create()
    for attempt in range(1, MAX_LOST_ATTEMPTS + 1):
        assignment = await house.lease()
        assert (assignment.attempt, assignment.lease.epoch) == (attempt, attempt)
        await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=assignment.lease, reason="it ran out of memory"))
    failed = await house.get(job.id)
    assert failed.state == states.JOB_STATE_FAILED
    assert "it ran out of memory" in failed.error.message


async def test_a_worker_that_knows_what_ended_its_attempts_gives_the_job_its_error(house: House) -> None:
    job = await house.create()
    error = status_pb2.Status(code=code_pb2.DEADLINE_EXCEEDED, message="step 3 hangs")
    error.details.add().Pack(error_details_pb2.ErrorInfo(reason="STEP_TIMEOUT"))
    for _ in range(MAX_LOST_ATTEMPTS):
        lease = (await house.lease()).lease
        await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=lease, reason=error.message, error=error))
    failed = await house.get(job.id)
    assert (failed.state, failed.error.code) == (states.JOB_STATE_FAILED, code_pb2.DEADLINE_EXCEEDED)
    assert failed.error.details == error.details
    assert "3 attempts in a row lost their worker" in failed.error.message
    assert "step 3 hangs" in failed.error.message


async def test_a_silent_worker_loses_its_lease_and_its_writes_are_refused(house: House) -> None:
    job = await house.create()
    stale = (await house.lease()).lease
    for _ in range(50):
        await asyncio.sleep(0.1)
        if (await house.get(job.id)).state == states.JOB_STATE_QUEUED:
            break
    fresh = (await house.lease()).lease
    assert fresh.epoch == stale.epoch + 1
    writes = [
        house.report(stale, 1),
        house.store(stale),
        house.worker.Heartbeat(door.HeartbeatRequest(pool_id=POOL, lease=stale)),
    ]
    for write in writes:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await write
        assert caught.value.code() == grpc.StatusCode.ABORTED
    assert (await house.get(job.id)).state == states.JOB_STATE_RUNNING


async def test_a_later_attempt_replaces_the_points_it_trains_again(house: House) -> None:
    job = await house.create()
    first = (await house.lease()).lease
    await house.report(first, 1, metrics=[chunk("train_loss", (1, 3.0), (2, 2.5))])
    await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=first))
    second = (await house.lease()).lease
    await house.report(second, 1, metrics=[chunk("train_loss", (2, 2.4), (3, 2.0))])
    assert await losses(house, job.id) == [(1, 3.0), (2, 2.4), (3, 2.0)]


async def test_a_queued_job_is_cancelled_at_once_and_stays_so(house: House) -> None:
    job = await house.create()
    assert await cancel(house, job.id) == states.JOB_STATE_CANCELLED
    with pytest.raises(grpc.aio.AioRpcError, match="nothing needs doing"):
        await cancel(house, job.id)
    assert not (await house.lease()).lease.job_id


async def test_a_running_job_is_cancelled_through_its_worker(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    assert await cancel(house, job.id) == states.JOB_STATE_CANCELLING
    assert await cancel(house, job.id) == states.JOB_STATE_CANCELLING
    answer = await house.worker.Heartbeat(door.HeartbeatRequest(pool_id=POOL, lease=lease))
    assert answer.directive == door.DIRECTIVE_CANCEL
    await house.report(lease, 1, outcome=door.Outcome(cancelled=door.Cancelled()))
    assert (await house.get(job.id)).state == states.JOB_STATE_CANCELLED


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (SUCCEEDED, states.JOB_STATE_SUCCEEDED),
        (door.Outcome(failed=status_pb2.Status(code=3, message="why")), states.JOB_STATE_FAILED),
        (door.Outcome(paused=door.Paused()), states.JOB_STATE_CANCELLED),
    ],
)
async def test_a_worker_may_end_before_it_sees_the_cancellation(
    house: House, outcome: door.Outcome, state: states.JobState
) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    await cancel(house, job.id)
    await house.report(lease, 1, outcome=outcome)
    assert (await house.get(job.id)).state == state


async def test_a_worker_lost_while_cancelling_is_a_cancelled_job(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    await cancel(house, job.id)
    await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=lease))
    assert (await house.get(job.id)).state == states.JOB_STATE_CANCELLED


async def test_a_set_with_a_wrong_hash_is_not_listed_and_leaves_nothing(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    with pytest.raises(grpc.aio.AioRpcError, match="announced"):
        await house.store(lease, sha256="0" * 64)
    request = job_service_pb2.ListArtifactsRequest(job_id=job.id)
    assert not (await house.jobs.ListArtifacts(request)).artifacts
    assert not list((house.home / "artifacts" / job.id).iterdir())


async def test_an_artifact_comes_back_as_it_was_stored_and_once(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    assert await house.store(lease) == await house.store(lease)
    (artifact,) = (await house.jobs.ListArtifacts(job_service_pb2.ListArtifactsRequest(job_id=job.id))).artifacts
    assert artifact.path == "adapter/adapter_model.safetensors"
    assert artifact.uri == f"/v1/jobs/{job.id}/artifacts/{artifact.id}:download"
    download = job_service_pb2.DownloadArtifactRequest(job_id=job.id, artifact_id=artifact.id)
    body = b"".join([part.data.data async for part in house.jobs.DownloadArtifact(download)])
    assert (len(body), hashlib.sha256(body).hexdigest()) == (artifact.size_bytes, artifact.sha256)
    assert len(list((house.home / "artifacts" / job.id).iterdir())) == 1


async def test_a_later_attempts_set_takes_the_place_of_an_earlier_ones(house: House) -> None:
    job = await house.create()
    first = (await house.lease()).lease
    first_set = await house.store(first)
    await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=first))
    second_set = await house.store((await house.lease()).lease)
    assert second_set != first_set
    (artifact,) = (await house.jobs.ListArtifacts(job_service_pb2.ListArtifactsRequest(job_id=job.id))).artifacts
    assert artifact.set_id == second_set
    assert [file.name for file in (house.home / "artifacts" / job.id).iterdir()] == [artifact.id]


async def test_files_that_a_crash_left_unlisted_are_removed_at_the_start(house: House) -> None:
    job = await house.create()
    await house.store((await house.lease()).lease)
    folder = house.home / "artifacts" / job.id
    listed = [file.name for file in folder.iterdir()]
    (folder / new_id()).write_bytes(b"never listed")
    (folder / f"{new_id()}.partial").write_bytes(b"never finished")
    await build(Settings(home=house.home))
    assert [file.name for file in folder.iterdir()] == listed


async def test_a_worker_reads_its_own_inputs_only_while_it_holds_the_lease(house: House) -> None:
    await house.create()
    lease = (await house.lease()).lease
    request = door.ReadDatasetRequest(lease=lease, role=door.DATASET_ROLE_TRAINING)
    assert b"".join([part.chunk async for part in house.worker.ReadDataset(request)]) == house.registry.rows
    await house.report(lease, 1, outcome=SUCCEEDED)
    with pytest.raises(grpc.aio.AioRpcError, match="is over"):
        [part async for part in house.worker.ReadDataset(request)]


async def test_a_waiting_pool_is_woken_by_a_job(house: House) -> None:
    await house.lease()
    waiting = asyncio.ensure_future(house.worker.Lease(door.LeaseRequest(pool_id=POOL, wait_seconds=30)))
    await asyncio.sleep(0.05)
    job = await house.create()
    assert (await asyncio.wait_for(waiting, 5)).assignment.lease.job_id == job.id


async def test_a_pool_is_listed_with_its_state(house: House) -> None:
    await house.create()
    await house.lease()
    (pool,) = (await house.pools.ListPools(pool_service_pb2.ListPoolsRequest())).pools
    assert (pool.id, pool.state, pool.running_job_count) == (POOL, pool_pb2.POOL_STATE_READY, 1)
