"""The watches of both clients: every event once and every point, however often the stream breaks, and nothing left open."""

import asyncio
import random

import grpc
import pytest
from tunesmith import AsyncTunesmith, InvalidArgument, NotFound, Tunesmith, Unavailable
from tunesmith.client.watch import WatchedJob
from tunesmith.client.watching import FIRST_DELAY_S
from tunesmith.job.v1 import job_pb2, job_state_pb2
from tunesmith.job.v1.job_service_pb2 import WatchJobResponse, WatchJobsResponse

from tests.unit.sdk.conftest import FailingPlane

HAPPENINGS, STEPS = 60, 25
CHANGES = 60


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunesmith.client.watching.FIRST_DELAY_S", 0.001)
    monkeypatch.setattr("tunesmith.client.watching.LONGEST_DELAY_S", 0.01)


def cut_often(plane: FailingPlane) -> None:
    plane.happens(HAPPENINGS, STEPS)
    chance = random.Random(7)
    # The first message of a stream is one that was seen already, so each stream has to get further than that.
    plane.cuts = [chance.randint(2, 7) for _ in range(15)]


def check(plane: FailingPlane, seen: list[WatchJobResponse]) -> None:
    assert [event.sequence for response in seen for event in response.events] == list(range(1, HAPPENINGS + 1))
    points = [point for response in seen for series in response.metrics for point in series.points]
    assert [point.value for point in points] == list(range(1, HAPPENINGS + 1))
    latest = {point.step: point.value for point in points}
    assert latest == {point.step: point.value for _, point in plane.log}
    assert seen[-1].job.state == job_state_pb2.JOB_STATE_SUCCEEDED
    assert len(plane.requests) > 10


def test_cut_again_and_again(client: Tunesmith, plane: FailingPlane) -> None:
    cut_often(plane)
    broke: list[bool] = []
    check(plane, list(client.watch_job("j1", on_break=broke.append)))
    assert broke == [True, False] * (len(plane.requests) - 1)


async def test_cut_again_and_again_in_an_event_loop(async_client: AsyncTunesmith, plane: FailingPlane) -> None:
    cut_often(plane)
    check(plane, [response async for response in async_client.watch_job("j1")])


async def test_waiting_answers_the_job_as_it_ended(client: Tunesmith, async_client: AsyncTunesmith, plane: FailingPlane) -> None:
    plane.happens(3, 3)
    assert client.wait_for_job("j1").state == job_state_pb2.JOB_STATE_SUCCEEDED
    assert (await async_client.wait_for_job("j1")).state == job_state_pb2.JOB_STATE_SUCCEEDED


async def test_a_cancelled_reader_closes_its_stream(async_client: AsyncTunesmith, plane: FailingPlane) -> None:
    plane.happens(1, 1)
    plane.endless = True
    heard = asyncio.Event()

    async def read() -> None:
        async for _ in async_client.watch_job("j1"):
            heard.set()

    reader = asyncio.create_task(read())
    await asyncio.wait_for(heard.wait(), 5)
    assert not plane.stream_closed.is_set()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await asyncio.to_thread(plane.stream_closed.wait, 5)


async def test_a_reader_that_leaves_early_closes_its_stream(async_client: AsyncTunesmith, plane: FailingPlane) -> None:
    plane.happens(1, 1)
    plane.endless = True
    watch = async_client.watch_job("j1")
    async for _ in watch:
        break
    await watch.aclose()
    assert await asyncio.to_thread(plane.stream_closed.wait, 5)


def test_a_blocking_reader_that_leaves_early_closes_its_stream(client: Tunesmith, plane: FailingPlane) -> None:
    plane.happens(1, 1)
    plane.endless = True
    for _ in client.watch_job("j1"):
        break
    assert plane.stream_closed.wait(5)


async def test_streams_of_calls_close_with_their_block(
    client: Tunesmith, async_client: AsyncTunesmith, plane: FailingPlane
) -> None:
    plane.happens(1, 1)
    plane.endless = True
    with client.jobs.watch_job(id="j1") as stream:
        next(stream)
    assert await asyncio.to_thread(plane.stream_closed.wait, 5)
    plane.stream_closed.clear()
    async with async_client.jobs.watch_job(id="j1") as messages:
        await anext(messages)
    assert await asyncio.to_thread(plane.stream_closed.wait, 5)


async def test_a_job_that_does_not_exist(client: Tunesmith, async_client: AsyncTunesmith, plane: FailingPlane) -> None:
    plane.refuse(5, "job 'j1' does not exist")
    with pytest.raises(NotFound):
        list(client.watch_job("j1"))
    with pytest.raises(NotFound):
        await async_client.wait_for_job("j1")
    assert len(plane.requests) == 2


async def test_it_gives_up_after_a_silence(client: Tunesmith, async_client: AsyncTunesmith, plane: FailingPlane) -> None:
    plane.happens(2, 2)
    plane.cuts = [1, *[0] * 1000]
    with pytest.raises(Unavailable, match="nothing heard of the job"):
        list(client.watch_job("j1", give_up_s=0.2))
    plane.cuts = [1, *[0] * 1000]
    with pytest.raises(Unavailable, match="nothing heard of the job"):
        await async_client.wait_for_job("j1", give_up_s=0.2)


def test_waits_grow_and_are_not_all_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    waits = []
    for _ in range(20):
        following = WatchedJob("j1", 600, None)
        waits.append([following.broke() for _ in range(8)])
    assert all(FIRST_DELAY_S / 2 <= one[0] <= FIRST_DELAY_S for one in waits)
    assert all(2.5 <= one[-1] <= 5.0 for one in waits)
    assert len({one[0] for one in waits}) > 15


def unthinned_from_a_cursor(plane: FailingPlane) -> list[tuple[int, int]]:
    """Streams that break: before any cursor, at one that does not move it, behind one that does."""
    running = job_pb2.Job(state=job_state_pb2.JOB_STATE_RUNNING)
    over = WatchJobResponse(job=job_pb2.Job(state=job_state_pb2.JOB_STATE_SUCCEEDED))
    broken = grpc.StatusCode.UNAVAILABLE
    plane.watches = [
        [WatchJobResponse(job=running), broken],
        [broken],
        [WatchJobResponse(job=running), WatchJobResponse(job=running, metric_cursor=70), broken],
        [over],
    ]
    return [(0, 50), (0, 50), (0, 50), (70, 0)]


def test_a_thinned_past_is_asked_for_until_there_is_a_cursor(client: Tunesmith, plane: FailingPlane) -> None:
    expected = unthinned_from_a_cursor(plane)
    assert len(list(client.watch_job("j1", max_points_per_series=50))) == 4
    assert [(each.after_metric_cursor, each.max_points_per_series) for each in plane.requests] == expected


async def test_a_thinned_past_in_an_event_loop(async_client: AsyncTunesmith, plane: FailingPlane) -> None:
    expected = unthinned_from_a_cursor(plane)
    assert len([response async for response in async_client.watch_job("j1", max_points_per_series=50)]) == 4
    assert [(each.after_metric_cursor, each.max_points_per_series) for each in plane.requests] == expected


def check_changes(plane: FailingPlane, seen: list[WatchJobsResponse], first: int) -> None:
    assert [job.id for response in seen for job in response.jobs] == [f"job {number}" for number in range(first, CHANGES + 2)]
    cursors = [request.after_cursor for request in plane.requests]
    assert cursors == sorted(cursors)
    assert len(cursors) > 10


def changes_often(plane: FailingPlane) -> None:
    plane.changes = CHANGES
    chance = random.Random(7)
    plane.cuts = [chance.randint(0, 5) for _ in range(15)]


def test_all_jobs_cut_again_and_again(client: Tunesmith, plane: FailingPlane) -> None:
    changes_often(plane)
    broke: list[bool] = []
    seen = []
    for response in client.watch_jobs(on_break=broke.append):
        seen.append(response)
        if response.cursor == CHANGES + 1:
            break
    check_changes(plane, seen, 2)
    assert broke == [True, False] * (len(plane.requests) - 1)


async def test_all_jobs_cut_again_and_again_in_an_event_loop(async_client: AsyncTunesmith, plane: FailingPlane) -> None:
    changes_often(plane)
    seen = []
    watch = async_client.watch_jobs(after_cursor=9)
    async for response in watch:
        seen.append(response)
        if response.cursor == CHANGES + 1:
            break
    await watch.aclose()
    assert plane.requests[0].after_cursor == 9  # type: ignore[attr-defined]
    check_changes(plane, seen, 10)


async def test_readers_of_all_jobs_that_leave_close_their_streams(
    client: Tunesmith, async_client: AsyncTunesmith, plane: FailingPlane
) -> None:
    blocking = client.watch_jobs()
    next(blocking)
    assert not plane.stream_closed.is_set()
    blocking.close()
    assert await asyncio.to_thread(plane.stream_closed.wait, 5)
    plane.stream_closed.clear()
    heard = asyncio.Event()

    async def read() -> None:
        async for _ in async_client.watch_jobs():
            heard.set()

    reader = asyncio.create_task(read())
    await asyncio.wait_for(heard.wait(), 5)
    assert not plane.stream_closed.is_set()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await asyncio.to_thread(plane.stream_closed.wait, 5)


async def test_a_cursor_of_all_jobs_that_is_refused(client: Tunesmith, async_client: AsyncTunesmith, plane: FailingPlane) -> None:
    plane.refuse(3, "999 is past the newest change")
    with pytest.raises(InvalidArgument):
        list(client.watch_jobs(after_cursor=999))
    with pytest.raises(InvalidArgument):
        await anext(async_client.watch_jobs(after_cursor=999))
    assert len(plane.requests) == 2


def test_all_jobs_are_given_up_by_who_says_when(client: Tunesmith, plane: FailingPlane) -> None:
    plane.changes = 3
    watch = client.watch_jobs(give_up_s=0.2)
    for response in watch:
        if response.cursor == 4:
            plane.stop()
            break
    with pytest.raises(Unavailable, match="nothing heard of the jobs for 0 s; list them"):
        list(watch)
