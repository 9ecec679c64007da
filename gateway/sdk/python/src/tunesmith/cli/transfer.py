"""Uploads and downloads with a bar that says how far they are: on standard error, and only on a terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from tunesmith.cli.session import Session
from tunesmith.client import download as downloading
from tunesmith.client.folder_archive import FolderArchive
from tunesmith.job.v1 import artifact_pb2
from tunesmith.registry.v1 import adapter_pb2, dataset_pb2


def upload(session: Session, file: Path, name: str | None, format: dataset_pb2.DatasetFormat) -> dataset_pb2.Dataset:
    """Upload a dataset."""
    size = file.stat().st_size
    with _bar(session) as bar:
        task = bar.add_task(f"uploading {file.name}", total=size)

        def sent(so_far: int) -> None:
            bar.update(task, completed=so_far, description="checking every row" if so_far >= size else None)

        return session.client.upload_dataset(file, display_name=name, format=format, progress=sent)


def download(session: Session, artifacts: Sequence[artifact_pb2.Artifact], folder: Path, overwrite: bool) -> None:
    """Write artifacts below a folder."""
    with _bar(session) as bar:
        task: TaskID = bar.add_task("downloading", total=sum(artifact.size_bytes for artifact in artifacts))

        def there(so_far: int) -> None:
            bar.update(task, completed=so_far)

        downloading.download(session.client.jobs, downloading.Download(artifacts, folder, overwrite, there))


def upload_adapter(
    session: Session, source: Path, base_model: str, name: str | None, description: str | None
) -> adapter_pb2.Adapter:
    """Upload an adapter."""
    size = FolderArchive(source).size_bytes if source.is_dir() else source.stat().st_size
    with _bar(session) as bar:
        task = bar.add_task(f"uploading {source.name}", total=size)

        def sent(so_far: int) -> None:
            bar.update(task, completed=so_far, description="checking whether it fits" if so_far >= size else None)

        return session.client.upload_adapter(
            source, base_model=base_model, display_name=name, description=description, progress=sent
        )


def download_adapter_files(session: Session, adapter: adapter_pb2.Adapter, folder: Path, overwrite: bool) -> None:
    """Write an adapter's files into a folder."""
    with _bar(session) as bar:
        task: TaskID = bar.add_task("downloading", total=adapter.size_bytes)

        def there(so_far: int) -> None:
            bar.update(task, completed=so_far)

        wanted = downloading.Download(adapter.files, folder, overwrite, there)
        downloading.download_adapter(session.client.adapters, adapter.id, wanted)


def _bar(session: Session) -> Progress:
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()]
    return Progress(*columns, console=session.output.notes, transient=True, disable=not session.output.notes.is_terminal)
