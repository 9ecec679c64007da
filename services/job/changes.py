"""Wakes those who wait for a job to change, for any of them, or for one to be queued.

A hint only: what changed is read from the database, and waiters look again by themselves after a while, so a change that another
process made is seen too.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

QUEUE = "queue"
JOBS = "jobs"


class Changes:
    """Topics with waiters: a job's id, QUEUE for a job to be queued, or JOBS for anything at all."""

    def __init__(self) -> None:
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def notify(self, topic: str) -> None:
        """Wake everyone who waits for a topic."""
        for waiter in (*self._waiters.get(topic, ()), *self._waiters.get(JOBS, ())):
            waiter.set()

    def notify_all(self) -> None:
        """Wake everyone, so that they see that the server stops."""
        for topic in list(self._waiters):
            self.notify(topic)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[asyncio.Event]:
        """An event that a change sets. Clear it before looking, so that no change falls between looking and waiting."""
        waiter = asyncio.Event()
        self._waiters[topic].add(waiter)
        try:
            yield waiter
        finally:
            self._waiters[topic].discard(waiter)
            if not self._waiters[topic]:
                del self._waiters[topic]


async def wait(waiter: asyncio.Event, timeout_s: float) -> None:
    """Wait for a change, at most so long."""
    with suppress(TimeoutError):
        await asyncio.wait_for(waiter.wait(), timeout_s)
