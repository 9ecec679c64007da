"""Writes a job's artifacts, or an adapter's files, below a folder, each only if its bytes are those that were announced."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

from tunesmith.client._generated import AdapterService, AsyncAdapterService, AsyncJobService, JobService
from tunesmith.client.errors import NotFound, TunesmithError
from tunesmith.client.requests import parsed
from tunesmith.job.v1 import artifact_pb2
from tunesmith.registry.v1 import adapter_pb2

DOWNLOAD_TIMEOUT_S = 24 * 3600.0
PARTIAL_SUFFIX = ".part"
_RESULTS = (
    artifact_pb2.ARTIFACT_KIND_ADAPTER,
    artifact_pb2.ARTIFACT_KIND_MODEL,
    artifact_pb2.ARTIFACT_KIND_GGUF,
    artifact_pb2.ARTIFACT_KIND_ONNX,
)

Kind = artifact_pb2.ArtifactKind | int | str
# What is announced with its path, size and hash.
File = TypeVar("File", artifact_pb2.Artifact, adapter_pb2.AdapterFile)
# Told the bytes that are there so far.
OnProgress = Callable[[int], None]


class DownloadError(TunesmithError):
    """An artifact was not written: its path leads elsewhere, or its bytes are not those that were announced."""


class FileInTheWay(DownloadError):
    """Another file is where an artifact should go."""


class Target(Generic[File]):
    """One artifact and the file it becomes. A file is there whole or not at all."""

    def __init__(self, artifact: File, folder: Path) -> None:
        self.artifact: File = artifact
        self.path = path_of(artifact, folder)
        self._partial = self.path.with_name(self.path.name + PARTIAL_SUFFIX)

    def is_there(self, overwrite: bool) -> bool:
        """Whether the file was downloaded before. Raises FileInTheWay if another is in its place."""
        if not self.path.exists():
            return False
        if self.path.is_file() and self.path.stat().st_size == self.artifact.size_bytes:
            with self.path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() == self.artifact.sha256:
                    return True
        if not overwrite:
            raise FileInTheWay(f"{self.path} is there with other content; choose another folder, or overwrite it")
        return False

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Never through a link that somebody left in its place.
        self._partial.unlink(missing_ok=True)
        self._stream = self._partial.open("xb")
        self._digest, self._size = hashlib.sha256(), 0
        return self

    def write(self, piece: bytes) -> int:
        """Add what came; answers its size."""
        self._stream.write(piece)
        self._digest.update(piece)
        self._size += len(piece)
        return len(piece)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()
        try:
            if error is None:
                self._publish()
        finally:
            self._partial.unlink(missing_ok=True)

    def _publish(self) -> None:
        artifact = self.artifact
        if (self._size, self._digest.hexdigest()) != (artifact.size_bytes, artifact.sha256):
            came = f"{self._size:,} bytes of {artifact.size_bytes:,}"
            raise DownloadError(f"{artifact.path}: what came is not what was announced ({came}); try again")
        self._partial.replace(self.path)


class Download(Generic[File]):
    """Which files to fetch, and how much is there."""

    def __init__(self, artifacts: Sequence[File], folder: Path, overwrite: bool, progress: OnProgress | None) -> None:
        # Nothing is written before every path was found to stay below the folder.
        self._targets: list[Target[File]] = [Target(artifact, folder) for artifact in artifacts]
        self._overwrite = overwrite
        self._progress = progress
        self._done = 0

    def missing(self) -> Iterable[Target[File]]:
        """What is not there yet."""
        for target in self._targets:
            if target.is_there(self._overwrite):
                self.advance(target.artifact.size_bytes)
            else:
                yield target

    def advance(self, size: int) -> None:
        """So many bytes more are there."""
        self._done += size
        if self._progress is not None:
            self._progress(self._done)

    @property
    def paths(self) -> list[Path]:
        """Every file."""
        return [target.path for target in self._targets]


def download(jobs: JobService, download: Download[artifact_pb2.Artifact]) -> list[Path]:
    """Fetch what is missing; answers every file."""
    for target in download.missing():
        one = target.artifact
        with target, jobs.download_artifact(job_id=one.job_id, artifact_id=one.id, timeout=DOWNLOAD_TIMEOUT_S) as stream:
            for response in stream:
                download.advance(target.write(response.data.data))
    return download.paths


async def download_async(jobs: AsyncJobService, download: Download[artifact_pb2.Artifact]) -> list[Path]:
    """`download` for an event loop."""
    for target in download.missing():
        one = target.artifact
        with target:
            async with jobs.download_artifact(job_id=one.job_id, artifact_id=one.id, timeout=DOWNLOAD_TIMEOUT_S) as stream:
                async for response in stream:
                    download.advance(target.write(response.data.data))
    return download.paths


def download_adapter(adapters: AdapterService, adapter_id: str, download: Download[adapter_pb2.AdapterFile]) -> list[Path]:
    """Fetch what is missing of an adapter; answers every file."""
    for target in download.missing():
        path = target.artifact.path
        with target, adapters.read_adapter_file(id=adapter_id, path=path, timeout=DOWNLOAD_TIMEOUT_S) as stream:
            for response in stream:
                download.advance(target.write(response.chunk))
    return download.paths


async def download_adapter_async(
    adapters: AsyncAdapterService, adapter_id: str, download: Download[adapter_pb2.AdapterFile]
) -> list[Path]:
    """`download_adapter` for an event loop."""
    for target in download.missing():
        path = target.artifact.path
        with target:
            async with adapters.read_adapter_file(id=adapter_id, path=path, timeout=DOWNLOAD_TIMEOUT_S) as stream:
                async for response in stream:
                    download.advance(target.write(response.chunk))
    return download.paths


def wanted(artifacts: Iterable[artifact_pb2.Artifact], kind: Kind | None) -> list[artifact_pb2.Artifact]:
    """The artifacts of one kind; for None the job's result, trained or exported. Raises InvalidArgument."""
    kinds: tuple[int, ...] = _RESULTS if kind is None else (kind_of(kind),)
    return [artifact for artifact in artifacts if artifact.kind in kinds]


def kind_of(kind: Kind) -> int:
    """The number of a kind that may be named. Raises InvalidArgument."""
    return parsed(artifact_pb2.Artifact, {"kind": kind}).kind


def nothing_of(job_id: str, kind: Kind | None) -> NotFound:
    """A job that has nothing of a kind."""
    name = "result" if kind is None else artifact_pb2.ArtifactKind.Name(cast(artifact_pb2.ArtifactKind, kind_of(kind)))
    short = name.removeprefix("ARTIFACT_KIND_").lower()
    return NotFound(f"job {job_id} has no {short} yet; `tunesmith jobs artifacts {job_id}` lists what it has")


def path_of(artifact: File, folder: Path) -> Path:
    """Where an artifact goes. Raises DownloadError if that would leave the folder: a server is not trusted with that."""
    path = PurePosixPath(artifact.path)
    odd = any(part in ("", ".", "..") or "\\" in part or ":" in part or "\0" in part for part in path.parts)
    if not path.parts or path.is_absolute() or odd:
        raise DownloadError(f"{artifact.path!r}, the path of an artifact, leads out of {folder}; nothing was written, report it")
    target = folder.joinpath(*path.parts)
    if not target.resolve().is_relative_to(folder.resolve()):
        raise DownloadError(f"{target} leads out of {folder} through a link; nothing was written, choose another folder")
    return target
