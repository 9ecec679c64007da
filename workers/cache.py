"""Files by their SHA-256: what one job fetched, the next one has."""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import structlog
from google.rpc import code_pb2, status_pb2

from services.chassis.errors import FailedPrecondition, ResourceExhausted
from workers.door import Refused
from workers.whole_file import PARTIAL, remove_unless_used, whole_file

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MIB = 1024**2
_TOKENISED = "tokenised"

log = structlog.get_logger()


class Cache:
    """A folder of files named by their SHA-256. A file is there whole or not at all.

    With `max_bytes`, what was used longest ago makes room for what is new; what the running attempt uses stays, even if that
    alone is more. Actors that run beside each other share a folder: each locks what it uses.
    """

    def __init__(self, folder: Path, max_bytes: int | None = None) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        # Each with its lock, which goes with the process at the latest.
        self._in_use: dict[Path, BinaryIO] = {}

    @property
    def tokenised(self) -> Path:
        """Where recipes keep tokenised rows. They count and make room like the files that they were made from."""
        return self._folder / _TOKENISED

    def find(self, sha256: str, size_bytes: int) -> Path | None:
        """A file that is there. Its hash was checked when it came; the size tells whether the disk kept it."""
        path = self._path(sha256)
        try:
            if path.stat().st_size != size_bytes:
                return None
            # The time of its last use: file systems keep none that can be relied on.
            os.utime(path)
            self._use(path)
        except FileNotFoundError:
            return None
        return path

    def add(self, sha256: str, size_bytes: int, chunks: Iterable[bytes], what: str) -> Path:
        """Store a file. Raises Refused if the bytes are not the ones announced; `what` names the file for people."""
        path = self._path(sha256)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room(size_bytes)
        self._check_room(size_bytes, what)
        with whole_file(path) as file:
            _write(file, sha256, size_bytes, chunks, what)
        self._use(path)
        return path

    def end_use(self) -> None:
        """The attempt that used files is over."""
        for lock in self._in_use.values():
            lock.close()
        self._in_use.clear()
        self._make_room(0)

    def discard_partial(self) -> None:
        """Remove what processes that died were fetching."""
        for left in (self._folder / PARTIAL).glob("*"):
            remove_unless_used(left)

    def _use(self, path: Path) -> None:
        """Keep a file there for as long as it is used. Raises FileNotFoundError."""
        if path not in self._in_use:
            lock = path.open("rb")
            fcntl.flock(lock, fcntl.LOCK_SH)
            if os.fstat(lock.fileno()).st_nlink == 0:
                # Another actor removed it in between.
                lock.close()
                raise FileNotFoundError(path)
            self._in_use[path] = lock

    def _path(self, sha256: str) -> Path:
        if _SHA256.fullmatch(sha256) is None:
            text = f"{sha256!r} is no SHA-256, so nothing is stored under it; register the input again"
            raise FailedPrecondition("INPUT_REFUSED", text)
        return self._folder / sha256[:2] / sha256

    def _make_room(self, size_bytes: int) -> None:
        if self._max_bytes is None or not self._folder.exists():
            return
        files = [found for path in self._folder.glob("*/*") if path.parent.name != PARTIAL and (found := _seen(path))]
        excess = sum(stat.st_size for _, stat in files) + size_bytes - self._max_bytes
        missing = max(excess, size_bytes - shutil.disk_usage(self._folder).free)
        for path, stat in sorted(files, key=lambda file: file[1].st_mtime_ns):
            if missing <= 0:
                return
            if path not in self._in_use and remove_unless_used(path):
                missing -= stat.st_size
                log.info("cache_file_removed", file=path.name, size_bytes=stat.st_size)

    def _check_room(self, size_bytes: int, what: str) -> None:
        free = shutil.disk_usage(self._folder).free
        if size_bytes > free:
            needed, left = f"{size_bytes // _MIB} MiB", f"{free // _MIB} MiB"
            text = f"{what} takes {needed}, and the worker's disk has {left} left; free some in {self._folder}"
            raise ResourceExhausted("DISK_FULL", text)


def _seen(path: Path) -> tuple[Path, os.stat_result] | None:
    """A file with its size and time; None if another actor has just removed it."""
    try:
        return path, path.stat()
    except FileNotFoundError:
        return None


def _write(file: BinaryIO, sha256: str, size_bytes: int, chunks: Iterable[bytes], what: str) -> None:
    digest, written = hashlib.sha256(), 0
    for chunk in chunks:
        written += len(chunk)
        if written > size_bytes:
            raise _damaged(f"{what} is longer than the {size_bytes} bytes it was announced with")
        digest.update(chunk)
        file.write(chunk)
    if written != size_bytes:
        raise _damaged(f"{what} has {written} bytes instead of {size_bytes}")
    if digest.hexdigest() != sha256:
        raise _damaged(f"{what} has another SHA-256 than it was announced with")


def _damaged(text: str) -> Refused:
    message = f"{text}: it was changed or damaged in the registry's store; register it again"
    return Refused(status_pb2.Status(code=code_pb2.DATA_LOSS, message=message))
