"""Whether the rows on disk are still those that were stored."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.identity import PROJECT
from services.registry import convert, storage
from services.registry.ingest.intake import ROWS_FILE
from services.registry.shelf import Shelf
from services.registry.uninterrupted import in_thread

_CHUNK_BYTES = 1024 * 1024


async def verify_dataset(database: Database, shelf: Shelf, dataset_id: str) -> dataset_pb2.Dataset:
    """Hash the rows again and store what came of it. Raises NotFound."""
    row = await database.read(lambda connection: storage.find_dataset(connection, PROJECT, dataset_id))
    dataset = convert.dataset(row)
    path = shelf.path(dataset.id) / ROWS_FILE
    damage = await in_thread(lambda gone: _damage(dataset, path, gone))

    def work(connection: Connection) -> dataset_pb2.Dataset:
        # Read again: somebody may have described it meanwhile.
        dataset = convert.dataset(storage.find_dataset(connection, PROJECT, dataset_id))
        status = dataset_pb2.INTEGRITY_STATUS_FAILED if damage else dataset_pb2.INTEGRITY_STATUS_VERIFIED
        integrity = dataset_pb2.DatasetIntegrity(status=status, message=damage)
        integrity.check_time.CopyFrom(timestamp(now_ms(connection)))
        dataset.integrity.CopyFrom(integrity)
        storage.replace_dataset(connection, dataset_id, dataset.SerializeToString())
        return dataset

    return await storage.write(database, work)


def _damage(dataset: dataset_pb2.Dataset, path: Path, gone: Callable[[], bool]) -> str:
    """What is wrong with the file, and what to do; empty if it is the one that was stored."""
    fix = f"restore datasets/{dataset.id}/{ROWS_FILE} in the server's home from a backup, or upload the file again"
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while not gone() and (chunk := file.read(_CHUNK_BYTES)):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        return f"its rows cannot be read from the server's disk ({error.strerror}); {fix}"
    if size != dataset.size_bytes:
        return f"its rows have {size} bytes on the server's disk and had {dataset.size_bytes} when they were stored; {fix}"
    if digest.hexdigest() != dataset.sha256:
        return f"its rows on the server's disk have another SHA-256 than those that were stored; {fix}"
    return ""
