"""Whoever watches all jobs sees what becomes of each, however often the stream breaks."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import Connection, text
from tunesmith.job.v1 import job_event_pb2, job_pb2, job_service_pb2, job_state_pb2, metric_pb2
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.database import Database
from services.chassis.identity import OWNER, PROJECT
from services.chassis.migrations import migrate
from services.chassis.server import STOP_GRACE_S
from services.chassis.settings import Settings
from services.job import convert, storage
from services.job.changes import JOBS, QUEUE, Changes
from services.job.service import build
from services.job.usecases.transition import add_event
from services.job.watch_jobs import HEARTBEAT_S, JOBS_A_MESSAGE, POLL_S, SETTLE_S, JobWatches
from tests.fakes.server import running
from tests.unit.services.job.conftest import House

MANY = 10_000
FEW = 30
WRITES = 300
WATCHERS = 6


def row(number: int, name: str = "") -> dict[str, Any]:
    return {
        "id": f"job-{number:05}",
        "project": PROJECT,
        "owner": OWNER,
        "display_name": name or f"job {number}",
        "provider": "local",
        "state": "JOB_STATE_QUEUED",
        "definition": b"",
        "inputs": b"",
        "schema_version": 1,
        "attempt": 0,
        "lost_attempts": 0,
        "pause_requested": False,
        "lease_epoch": 0,
        "report_sequence": 0,
        "event_sequence": 0,
        "create_time_ms": 1,
        "update_time_ms": 1,
    }


class CountingDatabase(Database):
    """Counts what is read."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reads = 0

    async def read(self, work: Any) -> Any:
        self.reads += 1
        return await super().read(work)


@asynccontextmanager
async def stored(folder: Path, count: int) -> AsyncIterator[CountingDatabase]:
    database = CountingDatabase(f"sqlite:///{folder}/jobs.db")
    migrate(database.engine, "job")
    await database.write(lambda connection: connection.execute(storage.jobs.insert(), [row(number) for number in range(count)]))
    try:
        yield database
    finally:
        database.close()


def touch(connection: Connection, number: int, step: int) -> None:
    """What a report of a worker does to a job."""
    storage.update_job(connection, f"job-{number:05}", step=step, total_steps=10 * WRITES)
    add_event(connection, f"job-{number:05}", job_event_pb2.JOB_EVENT_TYPE_STAGE, f"step {step}")


def table(connection: Connection) -> dict[str, job_pb2.Job]:
    rows: Sequence[Any] = storage.changed_after(connection, PROJECT, 0, MANY)
    return {each["id"]: convert.basic_job(each) for each in rows}


async def newest(database: Database) -> int:
    return await database.read(lambda connection: storage.newest_change(connection, PROJECT))


async def follow(
    watches: JobWatches, database: Database, messages_before_a_break: int, written: asyncio.Event
) -> tuple[dict[str, job_pb2.Job], int]:
    """A picture of all jobs, kept by streams that end and are taken up again; and how often one ended."""
    picture: dict[str, job_pb2.Job] = {}
    cursor, breaks = 0, 0
    while True:
        stream = watches.watch(job_service_pb2.WatchJobsRequest(after_cursor=cursor), asyncio.Event())
        count = 0
        async for response in stream:
            # Watch first, then list: what changes between the two is told by the stream.
            picture = picture or await database.read(table)
            picture |= {job.id: job for job in response.jobs}
            assert response.cursor >= max(cursor, 1)
            cursor, count = response.cursor, count + 1
            if written.is_set() and cursor >= await newest(database):
                await stream.aclose()
                return picture, breaks
            if count == messages_before_a_break:
                break
        await stream.aclose()
        breaks += 1


@pytest.mark.parametrize("seed", range(3))
async def test_pictures_kept_by_broken_streams_equal_the_table(tmp_path: Path, seed: int) -> None:
    chance, changes, written = random.Random(seed), Changes(), asyncio.Event()
    async with stored(tmp_path, FEW) as database:
        watches = JobWatches(database, changes, heartbeat_s=0.0)
        followers = [asyncio.create_task(follow(watches, database, 1 + number % 3, written)) for number in range(WATCHERS)]
        for step in range(1, WRITES + 1):
            # Several at once share a transaction, as in the service, and the same job may be among them twice.
            numbers = [chance.randrange(FEW) for _ in range(3)]
            await asyncio.gather(
                *(database.write(lambda connection, each=each, step=step: touch(connection, each, step)) for each in numbers)
            )
            # Now and then nobody is told, as when another process writes.
            if chance.random() < 0.9:
                changes.notify(f"job-{numbers[0]:05}")
            await asyncio.sleep(0.01 if chance.random() < 0.9 else 0)
        written.set()
        results = await asyncio.wait_for(asyncio.gather(*followers), 30)
        truth = await database.read(table)
    assert len(truth) == FEW
    assert max(job.step for job in truth.values()) == WRITES
    for picture, breaks in results:
        assert breaks >= 3
        assert picture == truth


async def test_ten_thousand_jobs_cost_an_idle_stream_nothing(tmp_path: Path) -> None:
    async with stored(tmp_path, MANY) as database:
        watches, stopping = JobWatches(database, Changes()), asyncio.Event()
        messages: list[job_service_pb2.WatchJobsResponse] = []

        async def watch() -> None:
            async for response in watches.watch(job_service_pb2.WatchJobsRequest(), stopping):
                messages.append(response)

        tasks = [asyncio.create_task(watch()) for _ in range(100)]
        await asyncio.sleep(0.5)
        assert [(len(each.jobs), each.cursor) for each in messages] == [(0, 1)] * 100
        before = database.reads
        await asyncio.sleep(3)
        # One look a second for all hundred, and not a row in it.
        assert 1 <= database.reads - before <= 8
        assert len(messages) == 100
        stopping.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def test_a_busy_server_reads_four_times_a_second_for_all_watchers(tmp_path: Path) -> None:
    async with stored(tmp_path, FEW) as database:
        changes, stopping = Changes(), asyncio.Event()
        watches = JobWatches(database, changes)
        cursors = [0] * 50

        async def watch(number: int) -> None:
            async for response in watches.watch(job_service_pb2.WatchJobsRequest(), stopping):
                cursors[number] = response.cursor

        tasks = [asyncio.create_task(watch(number)) for number in range(len(cursors))]
        await asyncio.sleep(0.5)
        before, begin, step = database.reads, time.monotonic(), 0
        while time.monotonic() - begin < 3:
            step += 1
            await database.write(lambda connection, step=step: touch(connection, step % FEW, step))
            changes.notify("any")
            await asyncio.sleep(0.01)
        reads, elapsed = database.reads - before, time.monotonic() - begin
        await asyncio.sleep(1.5)
        last = await newest(database)
        stopping.set()
        changes.notify_all()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert step > 50
    # Some slack for watchers that wake up late and look by themselves; each for itself would be two hundred a second.
    assert reads <= 8 * elapsed
    assert cursors == [last] * len(cursors)


async def test_more_jobs_than_fit_into_a_message_come_in_several(tmp_path: Path) -> None:
    count = 2 * JOBS_A_MESSAGE + 50
    async with stored(tmp_path, count) as database:
        await database.write(lambda connection: [touch(connection, number, 1) for number in range(count)])
        stream = JobWatches(database, Changes()).watch(job_service_pb2.WatchJobsRequest(after_cursor=1), asyncio.Event())
        sizes, ids = [], []
        while len(ids) < count:
            response = await asyncio.wait_for(anext(stream), 5)
            sizes.append(len(response.jobs))
            ids += [job.id for job in response.jobs]
        await stream.aclose()
    assert sizes == [JOBS_A_MESSAGE, JOBS_A_MESSAGE, 50]
    # In the order of their changes, each once.
    assert ids == [f"job-{number:05}" for number in range(count)]


async def test_a_stream_says_something_while_nothing_happens(tmp_path: Path) -> None:
    assert HEARTBEAT_S + POLL_S + SETTLE_S < 15
    async with stored(tmp_path, 1) as database:
        stream = JobWatches(database, Changes(), heartbeat_s=0.5).watch(job_service_pb2.WatchJobsRequest(), asyncio.Event())
        begin = time.monotonic()
        messages = [await asyncio.wait_for(anext(stream), 5) for _ in range(3)]
        await stream.aclose()
    assert [(len(each.jobs), each.cursor) for each in messages] == [(0, 1)] * 3
    assert 1.0 < time.monotonic() - begin < 4.0


async def test_jobs_are_watched_from_their_creation_to_their_end(house: House) -> None:
    """Over gRPC: each stream is cancelled after one message that has a job, and taken up again."""
    request, seen = job_service_pb2.WatchJobsRequest(), []
    stream = house.jobs.WatchJobs(request)
    first = await stream.read()
    assert (len(first.jobs), first.cursor) == (0, 1)
    job = await house.create(display_name="seen from the start")

    async def next_job() -> job_pb2.Job:
        nonlocal stream
        while not (response := await asyncio.wait_for(stream.read(), 5)).jobs:
            pass
        stream.cancel()
        request.after_cursor = response.cursor
        stream = house.jobs.WatchJobs(request)
        (changed,) = response.jobs
        return changed

    seen.append(await next_job())
    lease = (await house.lease()).lease
    seen.append(await next_job())
    # Progress and figures alone are a change too.
    await house.report(lease, 1, progress=door.Progress(step=3, total_steps=4, epoch=0.5))
    seen.append(await next_job())
    await house.report(lease, 2, measured=job_pb2.JobFigures(peak_memory_bytes=7))
    seen.append(await next_job())
    await house.jobs.PauseJob(job_service_pb2.PauseJobRequest(id=job.id))
    seen.append(await next_job())
    await house.report(lease, 3, outcome=door.Outcome(succeeded=door.Succeeded()))
    seen.append(await next_job())
    stream.cancel()
    states = [job_state_pb2.JobState.Name(each.state).removeprefix("JOB_STATE_") for each in seen]
    assert states == ["QUEUED", "RUNNING", "RUNNING", "RUNNING", "RUNNING", "SUCCEEDED"]
    assert [each.step for each in seen] == [0, 0, 3, 3, 3, 3]
    assert [each.measured.peak_memory_bytes for each in seen] == [0, 0, 0, 7, 7, 7]
    assert [each.pause_requested for each in seen] == [False] * 4 + [True, False]
    assert not any(each.HasField("configuration") or each.lowering for each in seen)
    assert {each.display_name for each in seen} == {"seen from the start"}
    assert [each.update_time.ToMilliseconds() for each in seen] == sorted(each.update_time.ToMilliseconds() for each in seen)


async def test_a_cursor_of_another_database_is_refused(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await house.jobs.WatchJobs(job_service_pb2.WatchJobsRequest(after_cursor=999)).read()
    assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "list the jobs and watch from 0" in failure.value.details()


async def test_what_a_worker_says_without_news_wakes_nobody(house: House) -> None:
    """A heartbeat or a report of points alone changes nothing that a list shows."""
    await house.create()
    lease = (await house.lease()).lease
    stream = house.jobs.WatchJobs(job_service_pb2.WatchJobsRequest())
    before = (await stream.read()).cursor
    await house.worker.Heartbeat(door.HeartbeatRequest(lease=lease, pool_id="pool"))
    await house.report(lease, 1, metrics=[metric_pb2.MetricChunk(key="train_loss", steps=[1], values=[1], times_ms=[1])])
    stream.cancel()
    stream = house.jobs.WatchJobs(job_service_pb2.WatchJobsRequest())
    assert (await stream.read()).cursor == before
    stream.cancel()


async def test_the_stream_ends_when_the_server_stops(tmp_path: Path, socket: str) -> None:
    settings = Settings(home=tmp_path, services_address=socket)
    begin = 0.0
    async with running(await build(settings), socket) as channel:
        streams = [JobServiceStub(channel).WatchJobs(job_service_pb2.WatchJobsRequest()) for _ in range(5)]
        for stream in streams:
            await stream.read()
        begin = time.monotonic()
    # Streams that hold on are cut off after a grace of five seconds.
    assert time.monotonic() - begin < STOP_GRACE_S - 1


def test_jobs_of_before_are_watched_too(tmp_path: Path) -> None:
    """The migration on a database with jobs in it."""
    database = Database(f"sqlite:///{tmp_path}/old.db")
    try:
        migrate(database.engine, "job", "0002")
        with database.engine.begin() as connection:
            connection.execute(text("INSERT INTO job_jobs ({}) VALUES ({})".format(*_named(row(1)))), row(1))
        migrate(database.engine, "job")
        with database.engine.begin() as connection:
            assert storage.newest_change(connection, PROJECT) == 1
            touch(connection, 1, 5)
            (changed,) = storage.changed_after(connection, PROJECT, 1, 10)
            assert (changed["id"], changed["step"], changed["change_number"]) == ("job-00001", 5, 2)
    finally:
        database.close()


def _named(values: dict[str, Any]) -> tuple[str, str]:
    return ", ".join(values), ", ".join(f":{name}" for name in values)


def test_anything_that_changes_wakes_who_watches_all() -> None:
    changes = Changes()
    with changes.subscribe(JOBS) as everything, changes.subscribe("job-1") as one, changes.subscribe("job-2") as other:
        for topic in ("job-1", "job-3", QUEUE):
            everything.clear()
            changes.notify(topic)
            assert everything.is_set()
        assert (one.is_set(), other.is_set()) == (True, False)
