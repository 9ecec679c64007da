"""Sends a file as a client stream, piece by piece, and tells how far it is."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from google.api.httpbody_pb2 import HttpBody
from tunesmith.client._generated import AsyncRegistryService, RegistryService
from tunesmith.client.calls import new_request_id
from tunesmith.client.requests import request_of
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1.registry_service_pb2 import UploadDatasetRequest

PIECE_BYTES = 1024 * 1024
# Besides the transfer: the server parses every row before it answers.
UPLOAD_TIMEOUT_S = 24 * 3600.0

Source = str | os.PathLike[str] | BinaryIO
# Told the bytes sent so far; all of them once the server has only to check the rows.
OnProgress = Callable[[int], None]


class Upload:
    """A file on its way: what goes with the first piece, and what was read."""

    def __init__(
        self,
        source: Source,
        filename: str | None,
        display_name: str | None,
        format: dataset_pb2.DatasetFormat | int | str | None,
        request_id: str | None,
        progress: OnProgress | None,
    ) -> None:
        self._source = source
        self._progress = progress
        self._sent = 0
        # The parameters go with the first piece, which is sent even for an empty file.
        self._next: UploadDatasetRequest | None = request_of(
            UploadDatasetRequest,
            filename=filename or _name_of(source),
            display_name=display_name,
            format=format,
            request_id=request_id or new_request_id(),
        )

    def opened(self) -> AbstractContextManager[BinaryIO]:
        """The bytes. A file that the caller opened is left open."""
        return Path(self._source).open("rb") if isinstance(self._source, (str, os.PathLike)) else nullcontext(self._source)

    def piece(self, data: bytes) -> UploadDatasetRequest | None:
        """The message that carries these bytes; None after the last."""
        if not data and self._next is None:
            return None
        request, self._next = self._next or UploadDatasetRequest(), None
        request.data.CopyFrom(HttpBody(data=data))
        return request

    def sent(self, request: UploadDatasetRequest) -> None:
        """A piece went out."""
        self._sent += len(request.data.data)
        if self._progress is not None:
            self._progress(self._sent)


def upload_dataset(registry: RegistryService, upload: Upload) -> dataset_pb2.Dataset:
    """Upload a dataset."""

    def pieces(stream: BinaryIO) -> Iterator[UploadDatasetRequest]:
        while (request := upload.piece(stream.read(PIECE_BYTES))) is not None:
            yield request
            upload.sent(request)

    with upload.opened() as stream:
        return registry.upload_dataset(pieces(stream), timeout=UPLOAD_TIMEOUT_S).dataset


async def upload_dataset_async(registry: AsyncRegistryService, upload: Upload) -> dataset_pb2.Dataset:
    """Upload a dataset. The file is read in a thread: a slow disk stops nobody else."""

    async def pieces(stream: BinaryIO) -> AsyncIterator[UploadDatasetRequest]:
        while (request := upload.piece(await asyncio.to_thread(stream.read, PIECE_BYTES))) is not None:
            yield request
            upload.sent(request)

    with upload.opened() as stream:
        answer = await registry.upload_dataset(pieces(stream), timeout=UPLOAD_TIMEOUT_S)
    return answer.dataset


def _name_of(source: Source) -> str | None:
    """A file's own name; its ending says what it is."""
    name = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", None)
    return Path(name).name if isinstance(name, (str, os.PathLike)) else None
