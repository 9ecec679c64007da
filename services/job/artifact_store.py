"""Artifacts on disk. A file lies under its own id and its job's, both made by the server; what a worker calls it stands only in
the database."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from services.chassis.files import sync_folder
from services.chassis.ids import is_id, new_id

# The end of a file's name while it arrives.
PARTIAL = ".partial"


class ArtifactStore:
    """A folder of files that are written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, job_id: str) -> "IncomingFile":
        """A new file of a job."""
        return IncomingFile(self._folder / job_id, new_id())

    def path(self, job_id: str, artifact_id: str) -> Path:
        """Where a listed artifact lies."""
        return self._folder / job_id / artifact_id

    def discard(self, job_id: str, artifact_ids: Iterable[str]) -> None:
        """Remove files that are not listed."""
        for artifact_id in artifact_ids:
            self.path(job_id, artifact_id).unlink(missing_ok=True)

    def sync(self, job_id: str) -> None:
        """Make sure that a job's new names are on disk."""
        sync_folder(self._folder / job_id)

    def job_ids(self) -> list[str]:
        """Every job that has a folder here."""
        return [folder.name for folder in self._folder.glob("*")]

    def file_ids(self, job_id: str) -> set[str]:
        """Every file of a job that has arrived, listed or not."""
        return {file.name for file in (self._folder / job_id).glob("*") if is_id(file.name)}

    def discard_partial(self, job_id: str) -> None:
        """Remove files whose upload never ended."""
        for file in (self._folder / job_id).glob(f"*{PARTIAL}"):
            file.unlink()


class IncomingFile:
    """A file that is being received; nobody sees it under its id before `finish`."""

    def __init__(self, folder: Path, artifact_id: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.id = artifact_id
        self._final = folder / artifact_id
        self._partial = folder / f"{artifact_id}{PARTIAL}"
        self._file: BinaryIO = self._partial.open("xb")
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size_bytes += len(chunk)

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal SHA-256 of what came so far."""
        return self._hash.hexdigest()

    def finish(self) -> None:
        """Put it on disk under its id."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.rename(self._final)

    def abandon(self) -> None:
        """Forget it."""
        self._file.close()
        self._partial.unlink(missing_ok=True)
