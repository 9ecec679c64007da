"""An answer that many want at once, asked for once and kept for a moment."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """What `ask` answered last, for so many seconds. A failure is not kept, and everybody who waits for it gets it."""

    def __init__(self, seconds: float, ask: Callable[[], Awaitable[Answer]]) -> None:
        self._seconds = seconds
        self._ask = ask
        self._asking: asyncio.Task[Answer] | None = None
        self._until = 0.0

    async def get(self) -> Answer:
        """The answer, asked for now if it is too old."""
        if self._asking is None or (self._asking.done() and (self._failed() or time.monotonic() >= self._until)):
            self._asking = asyncio.create_task(self._fresh())
        # One who goes away must not take the answer from the others.
        return await asyncio.shield(self._asking)

    async def _fresh(self) -> Answer:
        answer = await self._ask()
        self._until = time.monotonic() + self._seconds
        return answer

    def _failed(self) -> bool:
        task = self._asking
        return task is not None and (task.cancelled() or task.exception() is not None)
