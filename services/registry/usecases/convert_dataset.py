"""A dataset of another format is made out of one: stored whole as a dataset of its own, or refused and nothing stored."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.idempotency import RequestLog
from services.chassis.identity import PROJECT
from services.chassis.ids import message_hash
from services.registry import convert, storage
from services.registry.conversion.rows import Conversion
from services.registry.conversion.shapes import SHAPES
from services.registry.domain import DISPLAY_NAME_CHARACTERS, refuse_control_characters, refuse_damaged
from services.registry.ingest.intake import ROWS_FILE, Intake, Limits
from services.registry.shelf import Shelf
from services.registry.uninterrupted import in_thread, to_the_end
from services.registry.usecases.keep_dataset import NewDataset, keep_dataset

_REQUESTS = RequestLog(storage.requests, "ConvertDataset")
_FILENAME = "converted.jsonl"


async def convert_dataset(
    database: Database, shelf: Shelf, limits: Limits, request: messages.ConvertDatasetRequest
) -> messages.ConvertDatasetResponse:
    """Make and record the new dataset. Raises NotFound, InvalidArgument with the rows that don't fit, FailedPrecondition."""
    request_hash = message_hash(request)
    kind = messages.ConvertDatasetResponse
    earlier = await database.read(lambda connection: _REQUESTS.find(connection, PROJECT, request.request_id, request_hash, kind))
    if earlier is not None:
        return earlier
    refuse_control_characters("display_name", request.display_name)
    row = await database.read(lambda connection: storage.find_dataset(connection, PROJECT, request.id))
    source = convert.dataset(row)
    refuse_damaged(source)
    conversion = Conversion(
        source.format, request.target, skip_unfit_rows=request.skip_unfit_rows, max_row_bytes=limits.row_bytes
    )
    incoming = await asyncio.to_thread(shelf.begin)
    try:
        path = shelf.path(source.id) / ROWS_FILE
        dataset = await in_thread(lambda gone: _made(conversion, path, incoming.path, limits, gone))
        dataset.display_name = request.display_name or _name(source.display_name, SHAPES[request.target].label)
        dataset.filename = _FILENAME
        dataset.parent_id = source.id
        answer = kind(skipped_row_count=conversion.skipped_row_count, skipped_rows=conversion.skipped_rows)
        record = NewDataset(_REQUESTS, request.request_id, request_hash, dataset)
        return await to_the_end(keep_dataset(database, incoming, record, answer))
    finally:
        await asyncio.to_thread(incoming.discard)


def _made(conversion: Conversion, source: Path, folder: Path, limits: Limits, gone: Callable[[], bool]) -> dataset_pb2.Dataset:
    """The converted rows, checked as an upload's are, on disk."""
    format = SHAPES[conversion.target].format
    intake = Intake(folder, _FILENAME, format, limits)
    try:
        for piece in conversion.pieces(source, gone):
            intake.feed(piece)
        return intake.finish()
    finally:
        intake.close()


def _name(of: str, label: str) -> str:
    """The old name and the target's, which is never cut."""
    ending = f" ({label})"
    return of[: DISPLAY_NAME_CHARACTERS - len(ending)] + ending
