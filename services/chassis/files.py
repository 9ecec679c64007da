"""Files that a service stores: read in chunks, and on disk for good."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from services.chassis.errors import FailedPrecondition, InvalidArgument

CHUNK_BYTES = 1024 * 1024


async def read_chunks(path: Path, offset: int, size_bytes: int) -> AsyncIterator[bytes]:
    """The bytes of a file from an offset on. Raises InvalidArgument for an offset past its end."""
    if offset > size_bytes:
        raise InvalidArgument([("offset", f"must be at most {size_bytes}, the size of the file")])
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise missing(path) from None
    with file:
        file.seek(offset)
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def missing(path: Path) -> FailedPrecondition:
    """A recorded file is gone from the disk."""
    text = f"{path.name} is gone from the server's disk; restore the home folder from a backup, or send the file again"
    return FailedPrecondition("FILE_MISSING", text)


def sync_folder(folder: Path) -> None:
    """Make sure that a folder's names are on disk, before the database speaks of them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
