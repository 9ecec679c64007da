"""A watcher sees every event once, wherever it begins."""

import asyncio

import pytest
from tunesmith.job.v1 import job_event_pb2, job_service_pb2, metric_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from tests.unit.services.job.conftest import House

EVENTS = 40


async def run_job(house: House, lease: door.LeaseToken) -> None:
    for number in range(1, EVENTS + 1):
        event = door.ReportedEvent(type=job_event_pb2.JOB_EVENT_TYPE_STAGE, message=f"stage {number}")
        point = metric_pb2.MetricChunk(key="train_loss", steps=[number], values=[1 / number], times_ms=[number])
        await house.report(lease, number, events=[event], metrics=[point])
    await house.report(lease, EVENTS + 1, outcome=door.Outcome(succeeded=door.Succeeded()))


@pytest.mark.parametrize("messages_before_a_break", [1, 3, 1000])
async def test_a_watcher_that_breaks_and_resumes_misses_and_repeats_nothing(house: House, messages_before_a_break: int) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    work = asyncio.create_task(run_job(house, lease))
    sequences: list[int] = []
    steps: list[int] = []
    request = job_service_pb2.WatchJobRequest(id=job.id)
    over = False
    while not over:
        stream, count = house.jobs.WatchJob(request), 0
        async for response in stream:
            sequences += [event.sequence for event in response.events]
            steps += [point.step for series in response.metrics for point in series.points]
            request.after_sequence = sequences[-1] if sequences else 0
            request.after_metric_cursor = response.metric_cursor
            over = response.job.HasField("end_time")
            count += 1
            if count >= messages_before_a_break:
                stream.cancel()
                break
    await work
    assert sequences == list(range(1, EVENTS + 4))
    assert steps == list(range(1, EVENTS + 1))


async def test_a_watch_of_a_finished_job_tells_all_and_ends(house: House) -> None:
    job = await house.create()
    await run_job(house, (await house.lease()).lease)
    responses = [response async for response in house.jobs.WatchJob(job_service_pb2.WatchJobRequest(id=job.id))]
    assert sum(len(response.events) for response in responses) == EVENTS + 3
