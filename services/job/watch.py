"""Everything that happens to a job, as a stream that can be taken up again."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Connection
from tunesmith.job.v1 import job_service_pb2, metric_pb2

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
# About 600 KB, or 2 MB as JSON. A chunk is never cut, because cursors lie between chunks; the door takes none that is longer.
POINTS_A_MESSAGE = 20_000


@dataclass(frozen=True)
class _Place:
    """How far a watcher is."""

    job_id: str
    sequence: int
    cursor: int
    # How many points of a series the next look answers at most; 0 is all.
    most_points: int = 0


@dataclass(frozen=True)
class News:
    """What lies after a place; `more` if something was left for a further look.

    `ahead` goes out before the response and moves no cursor: whoever breaks off between them asks for all of it again.
    """

    response: job_service_pb2.WatchJobResponse
    more: bool
    ahead: Sequence[job_service_pb2.WatchJobResponse] = ()

    def after(self, place: _Place) -> _Place:
        events = self.response.events
        return _Place(place.job_id, events[-1].sequence if events else place.sequence, self.response.metric_cursor)


@dataclass(frozen=True)
class _Points:
    """Metric points after a place, up to a cursor; `more` if some lie behind it."""

    last_part: Sequence[metric_pb2.MetricSeries]
    cursor: int
    more: bool = False
    parts_before: Sequence[Sequence[metric_pb2.MetricSeries]] = ()


class Watches:
    """The watchers of one server. Those who are at the same place share what is read and converted."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._changes = changes
        self._looks = SharedLooks(database, _news)

    async def watch(
        self, request: job_service_pb2.WatchJobRequest, stopping: asyncio.Event
    ) -> AsyncIterator[job_service_pb2.WatchJobResponse]:
        """Stream a job's changes until it is over and everything was said. Raises NotFound."""
        # Who has seen some of the points would miss those that thinning leaves out.
        most_points = 0 if request.after_metric_cursor else request.max_points_per_series
        place = _Place(request.id, request.after_sequence, request.after_metric_cursor, most_points)
        last_sent = -HEARTBEAT_S
        last_update = None
        with self._changes.subscribe(request.id) as waiter:
            while not stopping.is_set():
                waiter.clear()
                news = await self._looks.look(place)
                for response in news.ahead:
                    yield response
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
    points = _thinned_points(connection, place) if place.most_points else _next_points(connection, place)
    response = job_service_pb2.WatchJobResponse(
        job=job,
        events=[convert.event(row) for row in events],
        metrics=points.last_part,
        metric_cursor=points.cursor,
    )
    ahead = [job_service_pb2.WatchJobResponse(job=job, metrics=part, metric_cursor=place.cursor) for part in points.parts_before]
    return News(response, points.more or len(events) == EVENTS_A_MESSAGE, ahead)


def _next_points(connection: Connection, place: _Place) -> _Points:
    """As many chunks after a place as a message takes, and at least one."""
    chunks: list[metric_pb2.MetricChunk] = []
    cursor, room = place.cursor, POINTS_A_MESSAGE
    with closing(storage.chunks_after(connection, place.job_id, cursor)) as rows:
        for row in rows:
            chunk = convert.chunk(row)
            room -= len(chunk.steps)
            if chunks and room < 0:
                return _Points(convert.series(chunks), cursor, more=True)
            chunks.append(chunk)
            cursor = row["cursor"]
    return _Points(convert.series(chunks), cursor)


def _thinned_points(connection: Connection, place: _Place) -> _Points:
    """All that is stored and watched, thinned."""
    rows = storage.watched_chunks_by_key(connection, place.job_id)
    *before, last = _parts(convert.thinned_series(rows, place.most_points))
    return _Points(last, storage.newest_cursor(connection, place.job_id), parts_before=before)


def _parts(series: Iterable[metric_pb2.MetricSeries]) -> list[list[metric_pb2.MetricSeries]]:
    """Series by messages: as many as a message takes. A thinned series is never longer than that."""
    parts: list[list[metric_pb2.MetricSeries]] = [[]]
    room = POINTS_A_MESSAGE
    for each in series:
        if len(each.points) > room:
            parts.append([])
            room = POINTS_A_MESSAGE
        parts[-1].append(each)
        room -= len(each.points)
    return parts
