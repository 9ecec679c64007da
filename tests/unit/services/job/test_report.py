"""A report is applied whole and once, whatever else is written at that moment."""

import asyncio

import grpc
import pytest
from tunesmith.job.v1 import job_event_pb2, job_pb2, job_service_pb2, metric_pb2
from tunesmith.job.v1 import job_state_pb2 as states
from tunesmith.worker.v1 import worker_service_pb2 as door

from tests.unit.services.job.conftest import House

JOBS = 8
REPORTS = 10


def point(step: int) -> metric_pb2.MetricChunk:
    return metric_pb2.MetricChunk(key="train_loss", steps=[step], values=[1 / step], times_ms=[step])


def stage(text: str) -> door.ReportedEvent:
    return door.ReportedEvent(type=job_event_pb2.JOB_EVENT_TYPE_STAGE, message=text)


async def steps(house: House, job_id: str) -> list[int]:
    response = await house.jobs.ListJobMetrics(job_service_pb2.ListJobMetricsRequest(job_id=job_id))
    return [point.step for series in response.series for point in series.points]


async def test_the_events_of_one_report_are_numbered_in_their_order(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    before = await house.events(job.id)
    said = [f"stage {number}" for number in range(20)]
    await house.report(lease, 1, events=[stage(text) for text in said])
    assert await house.events(job.id) == [*before, *said]
    response = await house.jobs.ListJobEvents(job_service_pb2.ListJobEventsRequest(job_id=job.id, after_sequence=len(before)))
    assert len(response.events) == len(said)
    assert {(event.state, event.attempt) for event in response.events} == {(states.JOB_STATE_RUNNING, 1)}
    assert (await house.get(job.id)).update_time == response.events[-1].create_time


async def test_figures_that_become_known_one_by_one_are_all_kept(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    await house.report(lease, 1, measured=job_pb2.JobFigures(step_seconds=0.5))
    await house.report(lease, 2, measured=job_pb2.JobFigures(peak_memory_bytes=10))
    measured = (await house.get(job.id)).measured
    assert (measured.step_seconds, measured.peak_memory_bytes) == (0.5, 10)


async def test_reports_keep_the_lease_without_heartbeats(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    # Longer than the lease's one second, in all.
    for sequence in range(1, 6):
        await asyncio.sleep(0.4)
        await house.report(lease, sequence)
    assert ((await house.get(job.id)).state, (await house.get(job.id)).attempt) == (states.JOB_STATE_RUNNING, 1)


async def test_a_refused_report_changes_nothing(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    events = await house.events(job.id)
    with pytest.raises(grpc.aio.AioRpcError, match="send 1 next"):
        await house.report(lease, 2, progress=door.Progress(step=9), metrics=[point(9)], events=[stage("too early")])
    assert await steps(house, job.id) == [] and await house.events(job.id) == events
    assert not (await house.get(job.id)).HasField("step")
    await house.report(lease, 1, metrics=[point(1)])
    assert await steps(house, job.id) == [1]


async def test_reports_of_many_jobs_at_once_are_each_applied_once_beside_refused_ones(house: House) -> None:
    jobs = [await house.create() for _ in range(JOBS)]
    leases = [(await house.lease()).lease for _ in jobs]

    async def work(lease: door.LeaseToken) -> None:
        for sequence in range(1, REPORTS + 1):
            event, metric = stage(f"stage {sequence}"), point(sequence)
            answers = await asyncio.gather(
                house.report(lease, sequence, events=[event], metrics=[metric]),
                house.report(lease, sequence, events=[event], metrics=[metric]),
                house.report(lease, sequence + 5, metrics=[metric]),
                return_exceptions=True,
            )
            assert [isinstance(answer, Exception) for answer in answers] == [False, False, True]

    await asyncio.gather(*(work(lease) for lease in leases))
    for job in jobs:
        assert await steps(house, job.id) == list(range(1, REPORTS + 1))
        assert (await house.events(job.id))[-REPORTS:] == [f"stage {number}" for number in range(1, REPORTS + 1)]
