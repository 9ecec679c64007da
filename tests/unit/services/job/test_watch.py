"""A watcher sees every event once, wherever it begins."""

import asyncio
from collections.abc import Callable

import pytest
from tunesmith.job.v1 import job_event_pb2, job_pb2, job_service_pb2, job_state_pb2, metric_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.job.changes import Changes
from services.job.watch import News, Watches
from tests.unit.services.job.conftest import House

EVENTS = 40
WATCHERS = 10


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


class CountingDatabase:
    """Answers every look with a job that is over, and counts the looks."""

    def __init__(self) -> None:
        self.reads = 0

    async def read(self, work: object) -> News:
        self.reads += 1
        await asyncio.sleep(0.01)
        job = job_pb2.Job(state=job_state_pb2.JOB_STATE_SUCCEEDED)
        return News(job_service_pb2.WatchJobResponse(job=job, metric_cursor=1), more=False)


@pytest.mark.parametrize(("first", "reads"), [(lambda number: 0, 1), (lambda number: number, WATCHERS)])
async def test_watchers_at_one_place_share_what_is_read(first: Callable[[int], int], reads: int) -> None:
    database, stopping = CountingDatabase(), asyncio.Event()
    watches = Watches(database, Changes())  # type: ignore[arg-type]

    async def watch(number: int) -> int:
        request = job_service_pb2.WatchJobRequest(id="job", after_sequence=first(number))
        return len([response async for response in watches.watch(request, stopping)])

    assert await asyncio.gather(*(watch(number) for number in range(WATCHERS))) == [1] * WATCHERS
    assert database.reads == reads


async def test_a_watcher_that_leaves_does_not_end_the_look_of_the_others(house: House) -> None:
    job = await house.create()
    await run_job(house, (await house.lease()).lease)
    request = job_service_pb2.WatchJobRequest(id=job.id)

    async def watch(number: int) -> int:
        count, stream = 0, house.jobs.WatchJob(request)
        if number % 2:
            stream.cancel()
            return EVENTS + 3
        async for response in stream:
            count += len(response.events)
        return count

    assert await asyncio.gather(*(watch(number) for number in range(WATCHERS))) == [EVENTS + 3] * WATCHERS
