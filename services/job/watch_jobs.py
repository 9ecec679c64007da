"""Which jobs change, as a stream that can be taken up again."""

import asyncio
import time
from collections.abc import AsyncIterator

from sqlalchemy import Connection
from tunesmith.job.v1 import job_service_pb2

from services.chassis.database import Database
from services.chassis.errors import InvalidArgument
from services.chassis.identity import PROJECT
from services.job import convert, storage
from services.job.changes import JOBS, Changes, wait
from services.job.shared_looks import SharedLooks

# The contract promises a message every 15 seconds; two looks may lie more than a second apart.
HEARTBEAT_S = 13.0
# How often to look without being woken: another process may have written.
POLL_S = 1.0
# Watchers look at multiples of this on the clock, so that a busy server reads four times a second, however many watch.
SETTLE_S = 0.25
# How far apart those who meant to look together may wake up.
GATHER_S = 0.01
JOBS_A_MESSAGE = 200


class JobWatches:
    """The watchers of all jobs on one server."""

    def __init__(self, database: Database, changes: Changes, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._database = database
        self._changes = changes
        self._heartbeat_s = heartbeat_s
        self._looks = SharedLooks(database, _news, GATHER_S)

    async def watch(
        self, request: job_service_pb2.WatchJobsRequest, stopping: asyncio.Event
    ) -> AsyncIterator[job_service_pb2.WatchJobsResponse]:
        """Stream jobs as they change, until the server stops. The first message comes at once.

        Raises InvalidArgument for a cursor that this database never gave out.
        """
        cursor = await self._database.read(lambda connection: _first_cursor(connection, request.after_cursor))
        last_sent = -self._heartbeat_s
        with self._changes.subscribe(JOBS) as waiter:
            while not stopping.is_set():
                waiter.clear()
                news = await self._looks.look(cursor)
                if news.jobs or time.monotonic() - last_sent >= self._heartbeat_s:
                    last_sent = time.monotonic()
                    yield news
                cursor = news.cursor
                if len(news.jobs) == JOBS_A_MESSAGE:
                    continue
                await wait(waiter, POLL_S)
                await asyncio.sleep(SETTLE_S - time.monotonic() % SETTLE_S)


def _first_cursor(connection: Connection, after: int) -> int:
    newest = storage.newest_change(connection, PROJECT)
    if after > newest:
        # Whoever waited for it would miss all that happens until then.
        text = f"{after} is past the newest change, {newest}: it came from another database; list the jobs and watch from 0"
        raise InvalidArgument([("after_cursor", text)])
    return after or newest


def _news(connection: Connection, cursor: int) -> job_service_pb2.WatchJobsResponse:
    """What changed after a cursor, as of one moment."""
    rows = storage.changed_after(connection, PROJECT, cursor, JOBS_A_MESSAGE)
    jobs = [convert.basic_job(row) for row in rows]
    return job_service_pb2.WatchJobsResponse(jobs=jobs, cursor=rows[-1]["change_number"] if rows else cursor)
