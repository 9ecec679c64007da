"""The one database: reads beside each other, writes one after another, and the database's own clock.

SQLite (embedded) and PostgreSQL behave alike: nobody else, this process or another, writes beside a write, and it is on disk when
the call returns.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import BigInteger, Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from services.chassis.lanes import Glances, Lane

# How long a write waits for another process's write. SQLite ignores it when a read transaction wants to become a write, which is
# why writes begin as such (BEGIN IMMEDIATE).
BUSY_TIMEOUT_MS = 10_000
READER_COUNT = 4
# Bounds how long the first of a group waits for the last.
MAX_WRITES_A_COMMIT = 64
# Any number that no other program locks in the same database: "tunesmit" in ASCII.
_WRITE_LOCK = 0x74756E65736D6974

Result = TypeVar("Result")


class Database:
    """Runs functions of a connection on threads of its own, so that the event loop never waits for a disk."""

    def __init__(self, url: str) -> None:
        self._glances: Glances | None = None
        if make_url(url).get_backend_name() == "sqlite":
            readers, self.engine = _sqlite_engine(url, "BEGIN"), _sqlite_engine(url, "BEGIN IMMEDIATE")
            self._glances = Glances(_sqlite_engine(url, "BEGIN", busy_timeout_ms=0))
        else:
            readers, self.engine = _server_engines(url)
        self._reads = Lane(readers, "read", READER_COUNT, max_group=1)
        self._writes = Lane(self.engine, "write", 1, max_group=MAX_WRITES_A_COMMIT)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction that sees one moment of the database."""
        return cast(Result, await self._reads.submit(work))

    async def glance(self, work: Callable[[Connection], Result]) -> Result:
        """Read a row or two that are found by their key, as `read` does, for calls that come by the thousand.

        On SQLite it happens at once: to hand it to another thread and back takes several times as long as finding a row.
        """
        if self._glances is not None:
            try:
                return cast(Result, self._glances.run(work))
            except OperationalError:
                # Another process recovers the file, and only a thread may wait for that.
                pass
        return await self.read(work)

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction, committed when this returns and undone if it raises.

        Writes that wait at the same time share a transaction and its way to the disk. One that raises undoes itself alone; when
        the transaction as a whole fails, each of them raises.
        """
        return cast(Result, await self._writes.submit(work))

    def close(self) -> None:
        """Wait for what is running, then close every connection."""
        self._reads.close()
        self._writes.close()
        if self._glances is not None:
            self._glances.close()


class clock_ms(FunctionElement[int]):
    """Milliseconds since 1970 by the database's clock, as a part of a statement."""

    type = BigInteger()
    inherit_cache = True


@compiles(clock_ms, "sqlite")
def _sqlite_clock(element: clock_ms, compiler: SQLCompiler, **options: Any) -> str:
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"


@compiles(clock_ms, "postgresql")
def _postgresql_clock(element: clock_ms, compiler: SQLCompiler, **options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


_NOW = select(clock_ms())


def now_ms(connection: Connection) -> int:
    """Milliseconds since 1970 by the database's clock, which leases are counted on."""
    return int(connection.execute(_NOW).scalar_one())


def timestamp(milliseconds: int) -> Timestamp:
    """A Timestamp of a stored time."""
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def _sqlite_engine(url: str, begin: str, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions by itself: it would begin them as reads.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {busy_timeout_ms}",
            "journal_mode = WAL",
            # NORMAL may lose the last commits when the machine loses power; what was acknowledged must stay.
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        # SQLite's own knows no letters but ASCII's; PostgreSQL's does.
        connection.create_function("lower", 1, lambda text: text if text is None else str(text).lower(), deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(begin)
        cursor.close()

    return engine


def _server_engines(url: str) -> tuple[Engine, Engine]:
    """Readers and writer of a database server."""
    # READ COMMITTED, the default, sees another moment with each statement.
    readers = create_engine(url, pool_size=READER_COUNT, isolation_level="REPEATABLE READ")
    writer = create_engine(url, pool_size=1)

    @event.listens_for(writer, "begin")
    def _begin(connection: Connection) -> None:
        # What SQLite does by itself. Watchers rely on it: numbers that a sequence gave first are committed first.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")

    return readers, writer
