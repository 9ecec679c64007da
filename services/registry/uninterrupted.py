"""Work that a caller who hangs up must not leave half done."""

import asyncio
from collections.abc import Coroutine
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
