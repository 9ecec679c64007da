"""A folder of results on its way to the service."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import FailedPrecondition
from workers.door import Door, DoorError, Refused, persistently

CHUNK_BYTES = 1024 * 1024
# As the contract has it. Saying so here names the file; the service would only name the rule.
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")
_MAX_PATH_CHARACTERS = 256


@dataclass(frozen=True)
class _File:
    source: Path
    header: worker.ArtifactFileHeader


def store(door: Door, header: worker.ArtifactSetHeader, folder: Path, pause: Callable[[float], None]) -> None:
    """Store all files below a folder as one set, from the start again for as long as the door is away.

    Raises LeaseLost, Refused, what `pause` raises, and OSError if a file can't be read.
    """
    files = [_hashed(folder, path) for path in sorted(folder.rglob("*")) if not path.is_dir()]
    if not files:
        raise FailedPrecondition("ARTIFACTS_EMPTY", f"{header.name} has no files, so there is no result; report this as a bug")
    header.file_count = len(files)
    size_bytes = sum(file.header.size_bytes for file in files)
    persistently(lambda: _send(door, header, files, size_bytes), pause)


def _send(door: Door, header: worker.ArtifactSetHeader, files: list[_File], size_bytes: int) -> None:
    parts = _Parts(header, files)
    try:
        door.write_artifact_set(parts, size_bytes)
    except (DoorError, Refused):
        # gRPC reads the parts in a thread of its own, and only says that reading failed.
        if parts.error is not None:
            raise parts.error from None
        raise


class _Parts:
    """The messages of one upload, and why it broke off if the fault was on this side."""

    def __init__(self, header: worker.ArtifactSetHeader, files: list[_File]) -> None:
        self._header = header
        self._files = files
        self.error: OSError | None = None

    def __iter__(self) -> Iterator[worker.WriteArtifactSetRequest]:
        yield worker.WriteArtifactSetRequest(set=self._header)
        try:
            for file in self._files:
                yield worker.WriteArtifactSetRequest(file=file.header)
                for chunk in _chunks(file.source):
                    yield worker.WriteArtifactSetRequest(chunk=chunk)
        except OSError as error:
            self.error = error
            raise


def _hashed(folder: Path, path: Path) -> _File:
    name = path.relative_to(folder).as_posix()
    if len(name) > _MAX_PATH_CHARACTERS or _PATH.fullmatch(name) is None:
        text = f"{name!r} can't be stored: names are letters, digits, '_', '-' and '.', and start with none of the last two"
        raise FailedPrecondition("ARTIFACT_NAME", f"{text}; report this as a bug")
    if path.is_symlink():
        raise FailedPrecondition("ARTIFACT_LINK", f"{name!r} is a link, and only files are stored; report this as a bug")
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in _chunks(path):
        digest.update(chunk)
        size_bytes += len(chunk)
    return _File(path, worker.ArtifactFileHeader(path=name, size_bytes=size_bytes, sha256=digest.hexdigest()))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
