"""Sends bytes as a client stream, piece by piece, and tells how far it is."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar, cast

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from tunesmith.client._generated import AdapterService, AsyncAdapterService, AsyncRegistryService, RegistryService
from tunesmith.client.calls import new_request_id
from tunesmith.client.folder_archive import FolderArchive
from tunesmith.client.requests import request_of
from tunesmith.registry.v1 import adapter_pb2, dataset_pb2
from tunesmith.registry.v1.adapter_service_pb2 import UploadAdapterRequest
from tunesmith.registry.v1.registry_service_pb2 import UploadDatasetRequest

PIECE_BYTES = 1024 * 1024
# Besides the transfer: the server parses every row before it answers.
UPLOAD_TIMEOUT_S = 24 * 3600.0

Source = str | os.PathLike[str] | BinaryIO
# Told the bytes sent so far; all of them once the server has only to check what came.
OnProgress = Callable[[int], None]
Request = TypeVar("Request", bound=Message)


class Upload(Generic[Request]):
    """Bytes on their way: what goes with the first piece, and what was read."""

    def __init__(self, source: Source, first: Request, progress: OnProgress | None) -> None:
        self._source = source
        self._progress = progress
        self._sent = 0
        self._kind = type(first)
        # The parameters go with the first piece, which is sent even for an empty file.
        self._next: Request | None = first

    def opened(self) -> AbstractContextManager[BinaryIO]:
        """The bytes. A file that the caller opened is left open."""
        if not isinstance(self._source, (str, os.PathLike)):
            return nullcontext(self._source)
        path = Path(self._source)
        if path.is_dir() and self._kind is UploadAdapterRequest:
            return cast(BinaryIO, io.BufferedReader(FolderArchive(path), PIECE_BYTES))
        return path.open("rb")

    def piece(self, data: bytes) -> Request | None:
        """The message that carries these bytes; None after the last."""
        if not data and self._next is None:
            return None
        request, self._next = self._next or self._kind(), None
        request.data.CopyFrom(HttpBody(data=data))  # type: ignore[attr-defined]
        return request

    def sent(self, request: Request) -> None:
        """A piece went out."""
        self._sent += len(request.data.data)  # type: ignore[attr-defined]
        if self._progress is not None:
            self._progress(self._sent)

    def pieces(self, stream: BinaryIO) -> Iterator[Request]:
        """The messages to send."""
        while (request := self.piece(stream.read(PIECE_BYTES))) is not None:
            yield request
            self.sent(request)

    async def pieces_async(self, stream: BinaryIO) -> AsyncIterator[Request]:
        """The messages to send. The file is read in a thread: a slow disk stops nobody else."""
        while (request := self.piece(await asyncio.to_thread(stream.read, PIECE_BYTES))) is not None:
            yield request
            self.sent(request)


def dataset_upload(
    source: Source,
    filename: str | None,
    display_name: str | None,
    format: dataset_pb2.DatasetFormat | int | str | None,
    request_id: str | None,
    progress: OnProgress | None,
) -> Upload[UploadDatasetRequest]:
    """Rows on their way."""
    first = request_of(
        UploadDatasetRequest,
        filename=filename or _name_of(source),
        display_name=display_name,
        format=format,
        request_id=request_id or new_request_id(),
    )
    return Upload(source, first, progress)


def adapter_upload(
    source: Source,
    base_model: str,
    display_name: str | None,
    description: str | None,
    request_id: str | None,
    progress: OnProgress | None,
) -> Upload[UploadAdapterRequest]:
    """An adapter on its way: an archive, or a folder that becomes one while it is sent."""
    first = request_of(
        UploadAdapterRequest,
        base_model=base_model,
        display_name=display_name,
        description=description,
        request_id=request_id or new_request_id(),
    )
    return Upload(source, first, progress)


def upload_dataset(registry: RegistryService, upload: Upload[UploadDatasetRequest]) -> dataset_pb2.Dataset:
    """Upload a dataset."""
    with upload.opened() as stream:
        return registry.upload_dataset(upload.pieces(stream), timeout=UPLOAD_TIMEOUT_S).dataset


async def upload_dataset_async(registry: AsyncRegistryService, upload: Upload[UploadDatasetRequest]) -> dataset_pb2.Dataset:
    """`upload_dataset` for an event loop."""
    with upload.opened() as stream:
        return (await registry.upload_dataset(upload.pieces_async(stream), timeout=UPLOAD_TIMEOUT_S)).dataset


def upload_adapter(adapters: AdapterService, upload: Upload[UploadAdapterRequest]) -> adapter_pb2.Adapter:
    """Upload an adapter."""
    with upload.opened() as stream:
        return adapters.upload_adapter(upload.pieces(stream), timeout=UPLOAD_TIMEOUT_S).adapter


async def upload_adapter_async(adapters: AsyncAdapterService, upload: Upload[UploadAdapterRequest]) -> adapter_pb2.Adapter:
    """`upload_adapter` for an event loop."""
    with upload.opened() as stream:
        return (await adapters.upload_adapter(upload.pieces_async(stream), timeout=UPLOAD_TIMEOUT_S)).adapter


def _name_of(source: Source) -> str | None:
    """A file's own name; its ending says what it is."""
    name = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", None)
    return Path(name).name if isinstance(name, (str, os.PathLike)) else None
