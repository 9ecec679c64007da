"""A dataset is uploaded: every row checked, then stored whole, or refused and nothing stored."""

import asyncio
from collections.abc import AsyncIterator

from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.errors import ServiceError
from services.chassis.idempotency import RequestLog
from services.chassis.ids import message_hash
from services.chassis.validation import check
from services.registry import storage
from services.registry.domain import file_label, refuse_control_characters, shortened
from services.registry.incoming_stream import drain, feed
from services.registry.ingest.intake import Intake, Limits
from services.registry.shelf import Incoming, Shelf
from services.registry.uninterrupted import to_the_end
from services.registry.usecases.keep_dataset import NewDataset, keep_dataset

Stream = AsyncIterator[messages.UploadDatasetRequest]

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
            dataset = await _take_in(incoming, labels, limits, first, stream)
            request_hash = message_hash(_identity(labels, dataset))
            dataset.MergeFrom(labels)
            record = NewDataset(_REQUESTS, first.request_id, request_hash, dataset)
            return await to_the_end(keep_dataset(database, incoming, record, messages.UploadDatasetResponse(dataset=dataset)))
        finally:
            await asyncio.to_thread(incoming.discard)
    except ServiceError:
        await drain(stream)
        raise


def _labels(first: messages.UploadDatasetRequest) -> dataset_pb2.Dataset:
    """What the uploader says of the dataset."""
    filename = file_label(first.filename)
    refuse_control_characters("display_name", first.display_name)
    return dataset_pb2.Dataset(filename=filename, display_name=first.display_name or shortened(filename), format=first.format)


async def _take_in(
    incoming: Incoming, labels: dataset_pb2.Dataset, limits: Limits, first: messages.UploadDatasetRequest, stream: Stream
) -> dataset_pb2.Dataset:
    """Read, check and write the rows; answers what they are once they are on disk."""
    intake = Intake(incoming.path, labels.filename, labels.format, limits)
    try:
        await feed(intake.feed, first, stream)
        return await to_the_end(asyncio.to_thread(intake.finish))
    finally:
        intake.close()


def _identity(labels: dataset_pb2.Dataset, rows: dataset_pb2.Dataset) -> dataset_pb2.Dataset:
    """What makes two uploads the same: the labels as given and the file, whatever was detected in it."""
    identity = dataset_pb2.Dataset(source_sha256=rows.source_sha256)
    identity.MergeFrom(labels)
    return identity
