"""Sends a file as a client stream, with a bar that says how far it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from google.api.httpbody_pb2 import HttpBody
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from tunesmith.cli.session import Session
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as registry

PIECE_BYTES = 1024 * 1024
# Besides the transfer: the server parses every row before it answers.
UPLOAD_TIMEOUT_S = 24 * 3600.0


def upload(session: Session, file: Path, name: str | None, format: dataset_pb2.DatasetFormat) -> registry.UploadDatasetResponse:
    """Upload a dataset. The bar is on standard error, and only on a terminal."""
    first = registry.UploadDatasetRequest(filename=file.name, display_name=name or "", format=format, request_id=str(uuid4()))
    with file.open("rb") as stream, _bar(session) as progress:
        task = progress.add_task(f"uploading {file.name}", total=file.stat().st_size)

        def requests() -> Iterator[registry.UploadDatasetRequest]:
            for piece in _pieces(stream, first):
                yield piece
                progress.advance(task, len(piece.data.data))
            progress.update(task, description="checking every row")

        answer: registry.UploadDatasetResponse = session.connection.registry.UploadDataset(requests(), timeout=UPLOAD_TIMEOUT_S)
    return answer


def _pieces(stream: BinaryIO, first: registry.UploadDatasetRequest) -> Iterator[registry.UploadDatasetRequest]:
    """The parameters go with the first piece, which is sent even for an empty file."""
    request = first
    while True:
        data = stream.read(PIECE_BYTES)
        if not data and request is not first:
            return
        request.data.CopyFrom(HttpBody(data=data))
        yield request
        request = registry.UploadDatasetRequest()


def _bar(session: Session) -> Progress:
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()]
    return Progress(*columns, console=session.output.notes, transient=True, disable=not session.output.notes.is_terminal)
