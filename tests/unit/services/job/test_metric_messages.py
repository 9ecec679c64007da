"""Metric points of a long job: in messages of a bounded size, whole from any cursor, and thinned for who asks for it."""

import random
import time
from collections.abc import Sequence
from itertools import pairwise

import grpc
import pytest
from tunesmith.job.v1 import job_service_pb2 as messages
from tunesmith.job.v1 import metric_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.job import convert
from services.job.watch import POINTS_A_MESSAGE, POLL_S
from tests.unit.services.job.conftest import House

KEYS = ("eval_loss", "learning_rate", "train_loss")
POINTS_A_KEY = 100_000
# What the door takes in one chunk.
LONGEST_CHUNK = 10_000

Points = dict[tuple[str, int], float]


async def running_job(house: House) -> tuple[str, door.LeaseToken]:
    job = await house.create()
    return job.id, (await house.lease()).lease


def chunk(key: str, begin: int, end: int, offset: float = 0.0) -> metric_pb2.MetricChunk:
    steps = range(begin, end)
    return metric_pb2.MetricChunk(key=key, steps=steps, values=[offset + 1 / (step + 1) for step in steps], times_ms=steps)


def story(points_a_key: int, longest: int) -> list[list[metric_pb2.MetricChunk]]:
    """Reports with chunks of any size; some of one point, and one report that is longer than a message may be."""
    chance = random.Random(5)
    sizes = [longest, longest]
    while sum(sizes) < points_a_key:
        size = chance.choice([1, 2, chance.randint(3, longest // 5), chance.randint(3, longest)])
        sizes.append(min(size, points_a_key - sum(sizes)))
    ends = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
    return [[chunk(key, begin, end) for key in KEYS] for begin, end in pairwise(ends)]


def points(series: Sequence[metric_pb2.MetricSeries]) -> list[tuple[str, int, float]]:
    return [(each.key, point.step, point.value) for each in series for point in each.points]


def stands(response: messages.WatchJobResponse | messages.ListJobMetricsResponse, known: Points) -> None:
    """Take a message's points as a watcher does."""
    series = response.metrics if isinstance(response, messages.WatchJobResponse) else response.series
    known |= {(key, step): value for key, step, value in points(series)}


async def first_message(house: House, **request: object) -> messages.WatchJobResponse:
    stream = house.jobs.WatchJob(messages.WatchJobRequest(**request))
    message = await stream.read()
    stream.cancel()
    return message


async def watched(house: House, last_cursor: int, **request: object) -> list[messages.WatchJobResponse]:
    """The messages of a stream, up to a cursor."""
    stream = house.jobs.WatchJob(messages.WatchJobRequest(**request))
    seen = [await stream.read()]
    while seen[-1].metric_cursor < last_cursor:
        seen.append(await stream.read())
    stream.cancel()
    return seen


async def test_a_long_job_streams_in_bounded_messages(house: House) -> None:
    job_id, lease = await running_job(house)
    reports = story(POINTS_A_KEY, LONGEST_CHUNK)
    for sequence, chunks in enumerate(reports, 1):
        await house.report(lease, sequence, metrics=chunks)
    chunks = [each for report in reports for each in report]
    assert sum(len(each.steps) for each in chunks) == 300_000
    assert sum(len(each.steps) for each in reports[0]) > POINTS_A_MESSAGE
    assert len(chunks) > 60

    begin = time.monotonic()
    seen = await watched(house, len(chunks), id=job_id)
    took = time.monotonic() - begin
    sizes = [len(points(each.metrics)) for each in seen]
    assert max(sizes) <= POINTS_A_MESSAGE
    # As full as whole chunks make them.
    assert min(sizes[:-1]) > POINTS_A_MESSAGE - LONGEST_CHUNK
    assert sum(sizes) == 300_000
    assert {point for each in seen for point in points(each.metrics)} == {point for each in chunks for point in of_chunks([each])}
    # Nothing happens to the job meanwhile: waiting between messages would take a second for each.
    assert len(seen) >= 15
    assert took < len(seen) * POLL_S / 2


async def test_a_watch_goes_on_from_every_cursor(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = POINTS_A_MESSAGE // 100
    monkeypatch.setattr("services.job.watch.POINTS_A_MESSAGE", bound)
    job_id, lease = await running_job(house)
    reports = story(POINTS_A_KEY // 100, LONGEST_CHUNK // 100)
    for sequence, chunks in enumerate(reports, 1):
        await house.report(lease, sequence, metrics=chunks)
    chunks = [each for report in reports for each in report]
    assert len(chunks) > 60
    for cursor in range(len(chunks)):
        message = await first_message(house, id=job_id, after_metric_cursor=cursor)
        assert message.metric_cursor > cursor
        taken = chunks[cursor : message.metric_cursor]
        assert points(message.metrics) == of_chunks(taken)
        size = sum(len(each.steps) for each in taken)
        assert size <= bound
        rest = chunks[message.metric_cursor :]
        assert not rest or size + len(rest[0].steps) > bound


def of_chunks(chunks: Sequence[metric_pb2.MetricChunk]) -> list[tuple[str, int, float]]:
    return points(convert.series(chunks))


async def test_a_chunk_that_is_longer_than_a_message_goes_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.job.watch.POINTS_A_MESSAGE", 10)
    job_id, lease = await running_job(house)
    await house.report(lease, 1, metrics=[chunk("a", 0, 4), chunk("b", 0, 4), chunk("c", 0, 25), chunk("a", 4, 6)])
    seen = await watched(house, 4, id=job_id)
    assert [(each.metric_cursor, len(points(each.metrics))) for each in seen] == [(2, 8), (3, 25), (4, 2)]


async def test_a_thinned_past_and_all_that_comes_after(house: House) -> None:
    job_id, lease = await running_job(house)
    spike = chunk("train_loss", 10_000, 20_000)
    spike.values[1234] = 1e9
    # The third report trains the steps of 15,000 to 18,000 again; the spike of before has no place any more.
    again = chunk("train_loss", 15_000, 18_000, offset=5.0)
    lost = chunk("train_loss", 20_000, 25_000)
    lost.values[100] = -1e9
    replaced = chunk("train_loss", 20_050, 20_200)
    for sequence, report in enumerate([[chunk("train_loss", 0, 10_000)], [spike], [again], [lost], [replaced]], 1):
        await house.report(lease, sequence, metrics=report)
    everything: Points = {}
    stands(await house.jobs.ListJobMetrics(messages.ListJobMetricsRequest(job_id=job_id)), everything)
    assert len(everything) == 25_000

    stream = house.jobs.WatchJob(messages.WatchJobRequest(id=job_id, max_points_per_series=50))
    past = await stream.read()
    assert past.metric_cursor == 5
    kept = points(past.metrics)
    assert 30 < len(kept) <= 50
    assert all(everything["train_loss", step] == value for _, step, value in kept)
    assert [step for _, step, _ in kept] == sorted({step for _, step, _ in kept})
    assert (kept[0][1], kept[-1][1]) == (0, 24_999)
    assert {value for _, _, value in kept if abs(value) > 10} == {1e9}

    await house.report(lease, 6, metrics=[chunk("train_loss", 25_000, 26_000), chunk("eval_loss", 0, 300)])
    coming: Points = {}
    while len(coming) < 1300:
        stands(await stream.read(), coming)
    stream.cancel()
    assert coming.keys() == {("train_loss", step) for step in range(25_000, 26_000)} | {("eval_loss", s) for s in range(300)}


async def test_who_goes_on_from_a_cursor_gets_everything(house: House) -> None:
    job_id, lease = await running_job(house)
    await house.report(lease, 1, metrics=[chunk("train_loss", 0, 500)])
    await house.report(lease, 2, metrics=[chunk("train_loss", 500, 900)])
    message = await first_message(house, id=job_id, after_metric_cursor=1, max_points_per_series=10)
    assert (len(points(message.metrics)), message.metric_cursor) == (400, 2)


async def test_a_watch_that_begins_before_the_first_point_gets_everything(house: House) -> None:
    job_id, lease = await running_job(house)
    stream = house.jobs.WatchJob(messages.WatchJobRequest(id=job_id, max_points_per_series=10))
    first = await stream.read()
    assert (points(first.metrics), first.metric_cursor) == ([], 0)
    await house.report(lease, 1, metrics=[chunk("train_loss", 0, 500)])
    coming: Points = {}
    while len(coming) < 500:
        stands(await stream.read(), coming)
    stream.cancel()


async def test_a_thinned_past_of_many_series_comes_in_several_messages(house: House) -> None:
    """The cursor moves with the last of them: whoever is cut off between them asks for all of it again."""
    job_id, lease = await running_job(house)
    keys = [f"metric {number}" for number in range(5)]
    for sequence, begin in enumerate((0, 9_000), 1):
        await house.report(lease, sequence, metrics=[chunk(key, begin, begin + 9_000) for key in keys])
    seen = await watched(house, 10, id=job_id, max_points_per_series=10_000)
    assert [each.metric_cursor for each in seen] == [0, 0, 10]
    assert all(len(points(each.metrics)) <= POINTS_A_MESSAGE for each in seen)
    series = [one for each in seen for one in each.metrics]
    assert [each.key for each in series] == keys
    # The curve falls: the two ends of a stretch are its extremes.
    assert all(9_990 <= len(each.points) <= 10_000 for each in series)
    assert [len(each.events) for each in seen] == [0, 0, 2]
    request = messages.ListJobMetricsRequest(job_id=job_id, max_points_per_series=10_000)
    assert list((await house.jobs.ListJobMetrics(request)).series) == series


async def test_a_list_is_thinned_too(house: House) -> None:
    job_id, lease = await running_job(house)
    await house.report(lease, 1, metrics=[chunk("train_loss", 0, 5_000), chunk("eval_loss", 0, 30)])
    await house.report(lease, 2, metrics=[chunk("train_loss", 5_000, 9_000), chunk("eval_loss", 30, 60)])
    request = messages.ListJobMetricsRequest(job_id=job_id, max_points_per_series=20)
    evaluation, training = (await house.jobs.ListJobMetrics(request)).series
    assert (evaluation.key, len(evaluation.points)) == ("eval_loss", 20)
    assert (training.key, len(training.points)) == ("train_loss", 20)
    request.key, request.after_step = "eval_loss", 49
    (evaluation,) = (await house.jobs.ListJobMetrics(request)).series
    assert [point.step for point in evaluation.points] == list(range(50, 60))


@pytest.mark.parametrize("most", [-1, 10_001])
async def test_how_few_or_many_points_may_be_asked_for(house: House, most: int) -> None:
    job_id, _ = await running_job(house)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await house.jobs.WatchJob(messages.WatchJobRequest(id=job_id, max_points_per_series=most)).read()
    assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await house.jobs.ListJobMetrics(messages.ListJobMetricsRequest(job_id=job_id, max_points_per_series=most))
    assert "max_points_per_series" in str(failure.value.details())
