"""Work that a caller who hangs up must not leave half done."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def to_the_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Await work. A cancelled caller still waits until it has ended, and only then is cancelled.

    A thread cannot be cancelled, and neither can a commit: going on at once would remove the files that either is about to use.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def in_thread(work: Callable[[Callable[[], bool]], Result]) -> Result:
    """Do work in a thread. It is given a question that it asks now and then: whether the caller is gone, and it should end."""
    gone = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, gone.is_set))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        gone.set()
        await asyncio.wait([task])
        raise
