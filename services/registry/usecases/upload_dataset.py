"""A dataset is uploaded: every row checked, then stored whole, or refused and nothing stored."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress

from sqlalchemy import Connection
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.errors import ServiceError
from services.chassis.idempotency import RequestLog
from services.chassis.identity import OWNER, PROJECT
from services.chassis.ids import message_hash
from services.chassis.validation import check
from services.registry import convert, storage
from services.registry.domain import file_label, refuse_control_characters, shortened
from services.registry.ingest.intake import Intake, Limits
from services.registry.shelf import Incoming, Shelf
from services.registry.uninterrupted import to_the_end

Stream = AsyncIterator[messages.UploadDatasetRequest]

# Waking a thread costs the same for a byte as for a MiB.
_PIECE_BYTES = 1024 * 1024
# A client over HTTP/1.1 may read no answer before it has sent its whole file: a refused upload is read on, this far, this long.
_DRAIN_BYTES = 256 * 1024 * 1024
_DRAIN_S = 30.0

_REQUESTS = RequestLog(storage.requests, "UploadDataset")


async def upload_dataset(database: Database, shelf: Shelf, limits: Limits, stream: Stream) -> messages.UploadDatasetResponse:
    """Store what a stream brings, or raise with what is wrong with it and store nothing.

    The parameters are those of the first message. A repeated request_id with the same file answers what was answered first.
    """
    first = await anext(stream, messages.UploadDatasetRequest())
    try:
        check(first)
        labels = _labels(first)
        incoming = await asyncio.to_thread(shelf.begin)
        try:
            dataset = await _take_in(incoming, labels, limits, _pieces(first, stream))
            return await to_the_end(_keep(database, incoming, first.request_id, labels, dataset))
        finally:
            await asyncio.to_thread(incoming.discard)
    except ServiceError:
        await _drain(stream)
        raise


def _labels(first: messages.UploadDatasetRequest) -> dataset_pb2.Dataset:
    """What the uploader says of the dataset."""
    filename = file_label(first.filename)
    refuse_control_characters("display_name", first.display_name)
    return dataset_pb2.Dataset(filename=filename, display_name=first.display_name or shortened(filename), format=first.format)


async def _take_in(
    incoming: Incoming, labels: dataset_pb2.Dataset, limits: Limits, pieces: AsyncGenerator[bytes]
) -> dataset_pb2.Dataset:
    """Read, check and write the rows; answers what they are once they are on disk."""
    intake = Intake(incoming.path, labels.filename, labels.format, limits)
    try:
        async with aclosing(pieces):
            await _feed(intake, pieces)
        return await to_the_end(asyncio.to_thread(intake.finish))
    finally:
        intake.close()


async def _feed(intake: Intake, pieces: AsyncGenerator[bytes]) -> None:
    """Give each piece to a thread while the next one is received."""
    feeding: asyncio.Future[None] | None = None
    try:
        async for piece in pieces:
            if feeding is not None:
                await asyncio.shield(feeding)
            feeding = asyncio.ensure_future(asyncio.to_thread(intake.feed, piece))
        if feeding is not None:
            await asyncio.shield(feeding)
    finally:
        # A caller who hangs up must not close the files under the thread.
        if feeding is not None:
            await asyncio.gather(feeding, return_exceptions=True)


async def _keep(
    database: Database, incoming: Incoming, request_id: str, labels: dataset_pb2.Dataset, rows: dataset_pb2.Dataset
) -> messages.UploadDatasetResponse:
    """Record the dataset and put its folder in its place, unless this request was answered before."""
    request_hash = message_hash(_identity(labels, rows))
    dataset_id = await asyncio.to_thread(incoming.seal)

    def work(connection: Connection) -> tuple[messages.UploadDatasetResponse, bool]:
        earlier = _REQUESTS.find(connection, PROJECT, request_id, request_hash, messages.UploadDatasetResponse)
        if earlier is not None:
            return earlier, False
        dataset = dataset_pb2.Dataset(id=dataset_id, project=PROJECT, owner=OWNER)
        dataset.MergeFrom(labels)
        dataset.MergeFrom(rows)
        dataset.version = storage.next_version(connection, PROJECT, labels.display_name)
        dataset.create_time.CopyFrom(timestamp(now_ms(connection)))
        connection.execute(storage.datasets.insert().values(convert.dataset_row(dataset)))
        response = messages.UploadDatasetResponse(dataset=dataset)
        _REQUESTS.store(connection, PROJECT, request_id, request_hash, response)
        return response, True

    response, new = await storage.write(database, work)
    if new:
        await asyncio.to_thread(incoming.publish)
    return response


def _identity(labels: dataset_pb2.Dataset, rows: dataset_pb2.Dataset) -> dataset_pb2.Dataset:
    """What makes two uploads the same: the labels as given and the file, whatever was detected in it."""
    identity = dataset_pb2.Dataset(source_sha256=rows.source_sha256)
    identity.MergeFrom(labels)
    return identity


async def _pieces(first: messages.UploadDatasetRequest, stream: Stream) -> AsyncGenerator[bytes]:
    """The file in pieces of about a MiB, however it was cut: a thread's work on one, and its rows are in memory together."""
    waiting, size = [first.data.data], len(first.data.data)
    async for message in stream:
        if size >= _PIECE_BYTES:
            for piece in _cut(b"".join(waiting)):
                yield piece
            waiting, size = [], 0
        waiting.append(message.data.data)
        size += len(message.data.data)
    for piece in _cut(b"".join(waiting)):
        yield piece


def _cut(block: bytes) -> Iterator[bytes]:
    """A block in pieces; one that is no larger comes as it is, uncopied."""
    for start in range(0, len(block), _PIECE_BYTES):
        yield block[start : start + _PIECE_BYTES]


async def _drain(stream: Stream) -> None:
    """Take the rest of a refused upload from the wire."""
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            async for message in stream:
                size += len(message.data.data)
                if size > _DRAIN_BYTES:
                    return
