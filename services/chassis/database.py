"""The one database: reads beside each other, writes one after another, and the database's own clock.

SQLite (embedded) and PostgreSQL behave alike: a write is one transaction that nobody else writes beside, and it is on disk when
the call returns.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text

# How long a write waits for another process's write. SQLite ignores it when a read transaction wants to become a write, which is
# why writes begin as such (BEGIN IMMEDIATE).
BUSY_TIMEOUT_MS = 10_000
READER_COUNT = 4

Result = TypeVar("Result")


class Database:
    """Runs functions of a connection on threads of its own, so that the event loop never waits for a disk."""

    def __init__(self, url: str) -> None:
        sqlite = make_url(url).get_backend_name() == "sqlite"
        self._readers = _sqlite_engine(url, "BEGIN") if sqlite else create_engine(url, pool_size=READER_COUNT)
        self.engine = _sqlite_engine(url, "BEGIN IMMEDIATE") if sqlite else self._readers
        self._read_threads = ThreadPoolExecutor(READER_COUNT, thread_name_prefix="database-read")
        # SQLite has one writer at a time whatever we do; queueing here keeps its lock from being fought over.
        self._write_threads = ThreadPoolExecutor(1 if sqlite else READER_COUNT, thread_name_prefix="database-write")

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction that sees one moment of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, _run, self._readers, work)

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction, committed when this returns and rolled back if it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._write_threads, _run, self.engine, work)

    def close(self) -> None:
        """Wait for what is running, then close every connection."""
        for threads in (self._read_threads, self._write_threads):
            threads.shutdown()
        for engine in {self._readers, self.engine}:
            engine.dispose()


def now_ms(connection: Connection) -> int:
    """Milliseconds since 1970 by the database's clock, which leases are counted on."""
    if connection.dialect.name == "sqlite":
        statement = "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"
    else:
        statement = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    return int(connection.execute(text(statement)).scalar_one())


def timestamp(milliseconds: int) -> Timestamp:
    """A Timestamp of a stored time."""
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def _run(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    with engine.begin() as connection:
        return work(connection)


def _sqlite_engine(url: str, begin: str) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions by itself: it would begin them as reads.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            # NORMAL may lose the last commits when the machine loses power; what was acknowledged must stay.
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
