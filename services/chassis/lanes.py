"""Threads that do the database's work in the order in which it came, in transactions that may hold the work of many."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Connection, Engine

Work = Callable[[Connection], Any]


@dataclass(eq=False)
class _Pending:
    """Work that somebody waits for, and what came of it."""

    work: Work
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None

    def settle(self) -> None:
        """Answer, on the event loop."""
        # Who waited may be gone.
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Lane:
    """Threads with a connection each. A thread takes what waits, at most `max_group`, as one transaction."""

    def __init__(self, engine: Engine, name: str, threads: int, max_group: int) -> None:
        self._engine = engine
        self._max_group = max_group
        self._queue: SimpleQueue[_Pending | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f"database-{name}", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Work) -> asyncio.Future[Any]:
        """Queue work. Its future, of the running event loop, is answered after the commit."""
        future = asyncio.get_running_loop().create_future()
        self._queue.put(_Pending(work, future))
        return future

    def close(self) -> None:
        """Finish what was queued, then end the threads and close their connections."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._engine.dispose()

    def _serve(self) -> None:
        connection = None
        while (group := self._next_group()) is not None:
            connection = self._transact(connection, group)
            # An idle thread holds on to no results.
            del group
        if connection is not None:
            connection.close()

    def _transact(self, connection: Connection | None, group: list[_Pending]) -> Connection | None:
        """Do and answer a group; returns the connection for the next one."""
        # A caller who is gone before his turn has not asked.
        group = [pending for pending in group if not pending.future.cancelled()]
        if not group:
            return connection
        try:
            connection = connection or self._engine.connect()
            with connection.begin():
                _run(connection, group)
        except Exception as error:
            for pending in group:
                pending.error = error
        # Also what failed by itself is answered only now: its error may tell of an effect of the same group.
        _answer(group)
        return connection

    def _next_group(self) -> list[_Pending] | None:
        """Wait for work; None is the end."""
        first = self._queue.get()
        if first is None:
            return None
        return [first, *self._more()]

    def _more(self) -> Iterator[_Pending]:
        for _ in range(self._max_group - 1):
            try:
                pending = self._queue.get_nowait()
            except Empty:
                return
            if pending is None:
                # The end is for the turn after this one.
                self._queue.put(None)
                return
            yield pending


def _run(connection: Connection, group: list[_Pending]) -> None:
    """Do the work of a group. Raises what undoes all of it."""
    if len(group) == 1:
        group[0].result = group[0].work(connection)
        return
    # The driver's own cursor: SQLAlchemy's savepoints cost as much as a statement.
    cursor = connection.connection.cursor()
    for pending in group:
        cursor.execute("SAVEPOINT pending")
        try:
            pending.result = pending.work(connection)
        except Exception as error:
            pending.error = error
            cursor.execute("ROLLBACK TO SAVEPOINT pending")
        cursor.execute("RELEASE SAVEPOINT pending")
    cursor.close()


class Glances:
    """Reads on the thread that asks, with a connection that is kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def run(self, work: Work) -> Any:
        """Do the work in a transaction and return what it returns."""
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin():
            return work(self._connection)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


def _answer(group: list[_Pending]) -> None:
    loop = group[0].future.get_loop()
    try:
        loop.call_soon_threadsafe(_settle, group)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return


def _settle(group: list[_Pending]) -> None:
    for pending in group:
        pending.settle()
