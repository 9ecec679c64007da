"""Everything that happens to a job, as a stream that can be taken up again."""

import asyncio
import time
from collections.abc import AsyncIterator

from sqlalchemy import Connection
from tunesmith.job.v1 import job_service_pb2

from services.chassis.database import Database
from services.job import convert, domain, storage
from services.job.changes import Changes, wait

# A message at least this often, so that proxies see the stream alive.
HEARTBEAT_S = 15.0
# How often to look without being woken: another process may have written.
POLL_S = 1.0
# Wakes that come faster are answered together: a fast job must not cost each watcher a read a step.
SETTLE_S = 0.05
EVENTS_A_MESSAGE = 500


async def watch_job(
    database: Database, changes: Changes, request: job_service_pb2.WatchJobRequest, stopping: asyncio.Event
) -> AsyncIterator[job_service_pb2.WatchJobResponse]:
    """Stream a job's changes until it is over and everything was said. Raises NotFound."""
    sequence, cursor = request.after_sequence, request.after_metric_cursor
    last_sent = -HEARTBEAT_S
    last_update = None
    with changes.subscribe(request.id) as waiter:
        while not stopping.is_set():
            waiter.clear()
            response, more = await database.read(lambda c, s=sequence, m=cursor: _since(c, request.id, s, m))  # type: ignore[misc]
            news = response.events or response.metrics or response.job.update_time != last_update
            if news or time.monotonic() - last_sent >= HEARTBEAT_S:
                last_sent, last_update = time.monotonic(), response.job.update_time
                yield response
            sequence = response.events[-1].sequence if response.events else sequence
            cursor = response.metric_cursor
            if more:
                continue
            if response.job.state in domain.TERMINAL:
                return
            await wait(waiter, POLL_S)
            await asyncio.sleep(SETTLE_S)


def _since(connection: Connection, job_id: str, sequence: int, cursor: int) -> tuple[job_service_pb2.WatchJobResponse, bool]:
    """What is new, as of one moment; tells whether events were left for a further message."""
    job = convert.job(storage.find_job(connection, job_id))
    events = storage.events_after(connection, job_id, sequence, EVENTS_A_MESSAGE)
    chunks = storage.chunks_after(connection, job_id, cursor)
    response = job_service_pb2.WatchJobResponse(
        job=job,
        events=[convert.event(row) for row in events],
        metrics=convert.series(chunks),
        metric_cursor=chunks[-1]["cursor"] if chunks else cursor,
    )
    return response, len(events) == EVENTS_A_MESSAGE
