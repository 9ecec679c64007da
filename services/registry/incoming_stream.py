"""The bytes of an upload on their way from the wire to a thread that takes them in."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from typing import Any

# Waking a thread costs the same for a byte as for a MiB.
_PIECE_BYTES = 1024 * 1024
# A client over HTTP/1.1 may read no answer before it has sent its whole file: a refused upload is read on, this far, this long.
_DRAIN_BYTES = 256 * 1024 * 1024
_DRAIN_S = 30.0

# Messages with a google.api.HttpBody called data.
Stream = AsyncIterator[Any]


async def feed(take: Callable[[bytes], None], first: Any, stream: Stream) -> None:
    """Give each piece to a thread while the next one is received."""
    feeding: asyncio.Future[None] | None = None
    async with aclosing(_pieces(first, stream)) as pieces:
        try:
            async for piece in pieces:
                if feeding is not None:
                    await asyncio.shield(feeding)
                feeding = asyncio.ensure_future(asyncio.to_thread(take, piece))
            if feeding is not None:
                await asyncio.shield(feeding)
        finally:
            # A caller who hangs up must not close the files under the thread.
            if feeding is not None:
                await asyncio.gather(feeding, return_exceptions=True)


async def drain(stream: Stream) -> None:
    """Take the rest of a refused upload from the wire."""
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            async for message in stream:
                size += len(message.data.data)
                if size > _DRAIN_BYTES:
                    return


async def _pieces(first: Any, stream: Stream) -> AsyncGenerator[bytes]:
    """The file in pieces of about a MiB, however it was cut: a thread's work on one, and what it makes is in memory together."""
    waiting, size = [first.data.data], len(first.data.data)
    async for message in stream:
        if size >= _PIECE_BYTES:
            for piece in _cut(b"".join(waiting)):
                yield piece
            waiting, size = [], 0
        waiting.append(message.data.data)
        size += len(message.data.data)
    for piece in _cut(b"".join(waiting)):
        yield piece


def _cut(block: bytes) -> Iterator[bytes]:
    """A block in pieces; one that is no larger comes as it is, uncopied."""
    for start in range(0, len(block), _PIECE_BYTES):
        yield block[start : start + _PIECE_BYTES]
