"""Writes a job's artifacts below a folder, each only if its bytes are those that were announced."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from tunesmith.cli.errors import CliError
from tunesmith.cli.session import Session
from tunesmith.job.v1 import artifact_pb2
from tunesmith.job.v1 import job_service_pb2 as messages

DOWNLOAD_TIMEOUT_S = 24 * 3600.0
PARTIAL_SUFFIX = ".part"
_RESULTS = (artifact_pb2.ARTIFACT_KIND_ADAPTER, artifact_pb2.ARTIFACT_KIND_MODEL)


def wanted(artifacts: Iterable[artifact_pb2.Artifact], kind: int | None) -> list[artifact_pb2.Artifact]:
    """The artifacts of one kind; for None the job's result, which is an adapter or a model."""
    kinds: tuple[int, ...] = _RESULTS if kind is None else (kind,)
    return [artifact for artifact in artifacts if artifact.kind in kinds]


def download(session: Session, artifacts: Sequence[artifact_pb2.Artifact], folder: Path, overwrite: bool) -> None:
    """Write artifacts below a folder. Nothing is written before every path was found to stay below it."""
    targets = [target_of(artifact, folder) for artifact in artifacts]
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()]
    notes = session.output.notes
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as progress:
        task = progress.add_task("downloading", total=sum(artifact.size_bytes for artifact in artifacts))
        for artifact, target in zip(artifacts, targets, strict=True):
            if not _is_there(artifact, target, overwrite):
                _fetch(session, artifact, target)
            progress.advance(task, artifact.size_bytes)


def target_of(artifact: artifact_pb2.Artifact, folder: Path) -> Path:
    """Where an artifact goes. Raises CliError for a path that would leave the folder: a server is not trusted with that."""
    path = PurePosixPath(artifact.path)
    odd = any(part in ("", ".", "..") or "\\" in part or ":" in part or "\0" in part for part in path.parts)
    if not path.parts or path.is_absolute() or odd:
        raise CliError(
            f"artifact {artifact.id}: its path {artifact.path!r} leads out of {folder}; nothing was written, report it"
        )
    target = folder.joinpath(*path.parts)
    if not target.resolve().is_relative_to(folder.resolve()):
        raise CliError(f"{target} leads out of {folder} through a link; nothing was written, choose another --to")
    return target


def _is_there(artifact: artifact_pb2.Artifact, target: Path, overwrite: bool) -> bool:
    """Whether the file was downloaded before. Raises CliError if another is in its place."""
    if not target.exists():
        return False
    if target.is_file() and target.stat().st_size == artifact.size_bytes:
        with target.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() == artifact.sha256:
                return True
    if not overwrite:
        raise CliError(f"{target} is there with other content; choose another --to, or pass --overwrite")
    return False


def _fetch(session: Session, artifact: artifact_pb2.Artifact, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + PARTIAL_SUFFIX)
    digest, size = hashlib.sha256(), 0
    request = messages.DownloadArtifactRequest(job_id=artifact.job_id, artifact_id=artifact.id)
    try:
        # Never through a link that somebody left in its place.
        partial.unlink(missing_ok=True)
        with partial.open("xb") as stream:
            for response in session.connection.jobs.DownloadArtifact(request, timeout=DOWNLOAD_TIMEOUT_S):
                stream.write(response.data.data)
                digest.update(response.data.data)
                size += len(response.data.data)
        if (size, digest.hexdigest()) != (artifact.size_bytes, artifact.sha256):
            text = f"{artifact.path}: what came is not what was announced ({size:,} bytes of {artifact.size_bytes:,}); try again"
            raise CliError(text)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
