"""A set of artifacts as one tar archive, made while it is sent."""

import asyncio
import tarfile
from collections.abc import AsyncIterator, Sequence

from sqlalchemy import RowMapping

from services.chassis.errors import FailedPrecondition
from services.chassis.files import missing, read_chunks
from services.job.artifact_store import ArtifactStore

CONTENT_TYPE = "application/x-tar"


def archive_name(files: Sequence[RowMapping]) -> str:
    """What a set's archive is called: `adapter-0192f3c4.tar`. Names of sets are plain ASCII by the door's rules."""
    return f"{files[0]['set_name']}-{files[0]['job_id'][:8]}.tar"


async def archive(store: ArtifactStore, files: Sequence[RowMapping]) -> AsyncIterator[bytes]:
    """The archive's bytes, a mebibyte of a file at a time.

    Raises FailedPrecondition before the first byte if a file is gone or was changed on the disk.
    """
    await asyncio.to_thread(_check, store, files)
    pending = b""
    for file in files:
        pending += _header(file)
        size = 0
        async for chunk in read_chunks(store.path(file["job_id"], file["id"]), 0, file["size_bytes"]):
            size += len(chunk)
            yield pending + chunk
            pending = b""
        if size != file["size_bytes"]:
            raise _damaged(file, size)
        pending += bytes(-size % tarfile.BLOCKSIZE)
    # Two empty blocks end an archive; tar writes whole records.
    total = sum(_size_in_archive(file) for file in files) + 2 * tarfile.BLOCKSIZE
    yield pending + bytes(2 * tarfile.BLOCKSIZE + -total % tarfile.RECORDSIZE)


def _header(file: RowMapping) -> bytes:
    info = tarfile.TarInfo(file["path"])
    info.size = file["size_bytes"]
    info.mtime = file["create_time_ms"] // 1000
    info.mode = 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _size_in_archive(file: RowMapping) -> int:
    size = int(file["size_bytes"])
    return len(_header(file)) + size + -size % tarfile.BLOCKSIZE


def _check(store: ArtifactStore, files: Sequence[RowMapping]) -> None:
    for file in files:
        path = store.path(file["job_id"], file["id"])
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise missing(path) from None
        if size != file["size_bytes"]:
            raise _damaged(file, size)


def _damaged(file: RowMapping, size: int) -> FailedPrecondition:
    text = (
        f"{file['path']} has {size} bytes on the server's disk and was stored with {file['size_bytes']}; "
        "restore the home folder from a backup, or train again"
    )
    return FailedPrecondition("FILE_DAMAGED", text)
