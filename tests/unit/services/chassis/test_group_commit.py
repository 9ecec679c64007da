"""Writes that wait together share a transaction, and each is still whole by itself."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from services.chassis.database import MAX_WRITES_A_COMMIT, Database

ROOT = Path(__file__).parents[4]
WRITES = 10


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'test.db'}")
    with made.engine.begin() as connection:
        connection.execute(text("CREATE TABLE notes (number INTEGER)"))
    yield made
    made.close()


def note(number: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO notes VALUES (:number)"), {"number": number})
        return number

    return work


def fail_after_noting(connection: Connection) -> None:
    note(-1)(connection)
    raise ValueError("on purpose")


def noted(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT number FROM notes ORDER BY rowid")).scalars())


def count_commits(database: Database) -> list[Connection]:
    commits: list[Connection] = []
    event.listen(database.engine, "commit", commits.append)
    return commits


class Gate:
    """A write that holds the lane until it is opened, so that what comes after it waits together."""

    def __init__(self, database: Database) -> None:
        self._open = threading.Event()
        self._held = asyncio.ensure_future(database.write(lambda connection: self._open.wait(10)))

    async def hold(self) -> None:
        # The lane has taken the gate's write, and nothing else, by then.
        await asyncio.sleep(0.05)

    async def open(self) -> None:
        self._open.set()
        assert await self._held


async def together(database: Database, *works: Callable[[Connection], object]) -> list[object]:
    """The answers to writes that all waited at the same time."""
    gate = Gate(database)
    await gate.hold()
    answers = asyncio.gather(*(database.write(work) for work in works), return_exceptions=True)
    await asyncio.sleep(0.05)
    await gate.open()
    return await answers


async def test_writes_that_wait_together_are_one_commit_in_the_order_they_came(database: Database) -> None:
    commits = count_commits(database)
    assert await together(database, *(note(number) for number in range(WRITES))) == list(range(WRITES))
    assert len(commits) == 2  # the gate's, and theirs
    assert await database.read(noted) == list(range(WRITES))


async def test_a_write_that_fails_leaves_the_others_of_its_group(database: Database) -> None:
    answers = await together(database, note(1), fail_after_noting, note(2), fail_after_noting, note(3))
    assert [str(answer) for answer in answers] == ["1", "on purpose", "2", "on purpose", "3"]
    assert await database.read(noted) == [1, 2, 3]


async def test_a_later_write_of_a_group_sees_the_earlier_ones(database: Database) -> None:
    assert await together(database, note(1), noted, note(2), noted) == [1, [1], 2, [1, 2]]


async def test_a_group_whose_transaction_is_lost_changes_nothing_and_tells_everyone(database: Database) -> None:
    def lose_the_transaction(connection: Connection) -> None:
        # As SQLite does by itself when a disk is full.
        connection.connection.cursor().execute("ROLLBACK")

    answers = await together(database, note(1), lose_the_transaction, note(2))
    assert len(answers) == 3 and all(isinstance(answer, Exception) for answer in answers)
    assert await database.read(noted) == []
    assert await database.write(note(4)) == 4
    assert await database.read(noted) == [4]


async def test_more_writes_than_fit_into_a_group_are_all_made(database: Database) -> None:
    commits = count_commits(database)
    count = 2 * MAX_WRITES_A_COMMIT + 1
    await together(database, *(note(number) for number in range(count)))
    assert len(commits) == 1 + 3
    assert await database.read(noted) == list(range(count))


async def test_a_write_whose_caller_is_gone_before_its_turn_is_not_made(database: Database) -> None:
    gate = Gate(database)
    await gate.hold()
    gone = asyncio.ensure_future(database.write(note(1)))
    stays = asyncio.ensure_future(database.write(note(2)))
    await asyncio.sleep(0)
    gone.cancel()
    await gate.open()
    assert await stays == 2
    assert await database.read(noted) == [2]


async def test_a_write_is_seen_by_every_read_that_follows_it(database: Database) -> None:
    for number in range(1, WRITES + 1):
        await database.write(note(number))
        assert len(await database.glance(noted)) == number
        assert len(await database.read(noted)) == number


async def test_closing_makes_what_waits(database: Database) -> None:
    gate = Gate(database)
    await gate.hold()
    waiting = [asyncio.ensure_future(database.write(note(number))) for number in range(WRITES)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(database.close))
    await gate.open()
    await closing
    assert await asyncio.gather(*waiting) == list(range(WRITES))


CRASH = """
import asyncio, os, signal, sys, time
from sqlalchemy import text
from services.chassis.database import Database

async def main():
    database = Database(sys.argv[1])
    await database.write(lambda c: c.execute(text("INSERT INTO notes VALUES (0)")))
    print("acknowledged", flush=True)
    def write(connection, number):
        connection.execute(text("INSERT INTO notes VALUES (:number)"), {"number": number})
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    # The first occupies the lane, so that the others are one group.
    first = asyncio.ensure_future(database.write(lambda c: time.sleep(0.1)))
    await asyncio.sleep(0.05)
    await asyncio.gather(first, *(database.write(lambda c, n=n: write(c, n)) for n in range(1, 6)))

asyncio.run(main())
"""


async def test_a_crash_before_the_commit_leaves_none_of_a_group(database: Database, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASH, f"sqlite:///{tmp_path / 'test.db'}"]
    ended = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL and ended.stdout == b"acknowledged\n"
    assert await database.read(noted) == [0]
