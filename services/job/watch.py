"""Everything that happens to a job, as a stream that can be taken up again."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import Connection
from tunesmith.job.v1 import job_service_pb2

from services.chassis.database import Database
from services.job import convert, domain, storage
from services.job.changes import Changes, wait
from services.job.shared_looks import SharedLooks

# A message at least this often, so that proxies see the stream alive.
HEARTBEAT_S = 15.0
# How often to look without being woken: another process may have written.
POLL_S = 1.0
# Watchers look at multiples of this on the clock: wakes that come faster are answered together, and watchers look together.
SETTLE_S = 0.05
EVENTS_A_MESSAGE = 500


@dataclass(frozen=True)
class _Place:
    """How far a watcher is."""

    job_id: str
    sequence: int
    cursor: int


@dataclass(frozen=True)
class News:
    """What lies after a place; `more` if events were left for a further message."""

    response: job_service_pb2.WatchJobResponse
    more: bool

    def after(self, place: _Place) -> _Place:
        events = self.response.events
        return _Place(place.job_id, events[-1].sequence if events else place.sequence, self.response.metric_cursor)


class Watches:
    """The watchers of one server. Those who are at the same place share what is read and converted."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._changes = changes
        self._looks = SharedLooks(database, _news)

    async def watch(
        self, request: job_service_pb2.WatchJobRequest, stopping: asyncio.Event
    ) -> AsyncIterator[job_service_pb2.WatchJobResponse]:
        """Stream a job's changes until it is over and everything was said. Raises NotFound."""
        place = _Place(request.id, request.after_sequence, request.after_metric_cursor)
        last_sent = -HEARTBEAT_S
        last_update = None
        with self._changes.subscribe(request.id) as waiter:
            while not stopping.is_set():
                waiter.clear()
                news = await self._looks.look(place)
                response = news.response
                told = response.events or response.metrics or response.job.update_time != last_update
                if told or time.monotonic() - last_sent >= HEARTBEAT_S:
                    last_sent, last_update = time.monotonic(), response.job.update_time
                    yield response
                place = news.after(place)
                if news.more:
                    continue
                if response.job.state in domain.TERMINAL:
                    return
                await wait(waiter, POLL_S)
                await asyncio.sleep(SETTLE_S - time.monotonic() % SETTLE_S)


def _news(connection: Connection, place: _Place) -> News:
    """What is new, as of one moment."""
    job = convert.job(storage.find_job(connection, place.job_id))
    events = storage.events_after(connection, place.job_id, place.sequence, EVENTS_A_MESSAGE)
    chunks = storage.chunks_after(connection, place.job_id, place.cursor)
    response = job_service_pb2.WatchJobResponse(
        job=job,
        events=[convert.event(row) for row in events],
        metrics=convert.series(chunks),
        metric_cursor=chunks[-1]["cursor"] if chunks else place.cursor,
    )
    return News(response, len(events) == EVENTS_A_MESSAGE)
