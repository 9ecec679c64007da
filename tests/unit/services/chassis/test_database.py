"""Writes come one after another and are whole, reads go on beside them."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from services.chassis.database import Database, now_ms


def increment(connection: Connection) -> int:
    value = connection.execute(text("SELECT value FROM counter")).scalar_one()
    connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})
    return value


@pytest.fixture
def two(tmp_path: Path) -> list[Database]:
    """Two processes' views of one database."""
    url = f"sqlite:///{tmp_path / 'test.db'}"
    databases = [Database(url), Database(url)]
    with databases[0].engine.begin() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    return databases


async def test_writers_of_two_processes_lose_no_write(two: list[Database]) -> None:
    await asyncio.gather(*(two[number % 2].write(increment) for number in range(40)))
    assert await two[0].read(lambda c: c.execute(text("SELECT value FROM counter")).scalar_one()) == 40


async def test_a_write_that_raises_changes_nothing(two: list[Database]) -> None:
    def fail(connection: Connection) -> None:
        increment(connection)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        await two[0].write(fail)
    assert await two[1].read(lambda c: c.execute(text("SELECT value FROM counter")).scalar_one()) == 0


async def test_sqlite_is_set_to_survive_a_power_cut(two: list[Database]) -> None:
    def pragmas(connection: Connection) -> list[object]:
        return [connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "synchronous")]

    assert await two[0].write(pragmas) == ["wal", 2]


async def test_the_databases_clock_is_in_milliseconds(two: list[Database]) -> None:
    import time

    assert abs(await two[0].read(now_ms) - time.time() * 1000) < 2000
