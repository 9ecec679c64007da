"""Base models that an earlier version stored get the fields that are new since, from their files."""

import asyncio
from pathlib import Path

import structlog
from sqlalchemy import Connection, RowMapping, select
from tunesmith.registry.v1 import base_model_pb2

from services.chassis.database import Database
from services.registry import convert, storage
from services.registry.base_model_changes import write
from services.registry.importing.profile import profile
from services.registry.importing.refused import Refused
from services.registry.known_files import take_over
from services.registry.shelf import Shelf

log = structlog.get_logger()


async def refresh(database: Database, shelf: Shelf) -> int:
    """Bring every stored base model up to date; answers how many were not. Call it before the service takes calls."""
    old = await database.read(_old)
    for row in old:
        model = convert.base_model(row)
        await asyncio.to_thread(_renew, model, shelf.path(model.id))
        await database.write(lambda connection, row=row, model=model: write(connection, row, model))  # type: ignore[misc]
    if old:
        log.info("base_models_refreshed", count=len(old))
    return len(old)


def _old(connection: Connection) -> list[RowMapping]:
    table = storage.base_models
    query = select(table).where(table.c.definition_version < storage.BASE_MODEL_VERSION).order_by(table.c.id)
    return list(connection.execute(query).mappings())


def _renew(model: base_model_pb2.BaseModel, folder: Path) -> None:
    if not model.lifecycle:
        model.lifecycle = base_model_pb2.LIFECYCLE_STAGING
    if not model.HasField("update_time"):
        model.update_time.CopyFrom(model.create_time)
    if not model.files:
        return
    try:
        found = profile(folder)
    except (Refused, OSError) as error:
        # Its record is all there is; a job that needs the files will say so.
        log.warning("base_model_not_refreshed", base_model=model.id, reason=str(error))
        return
    found.files.extend(model.files)
    found.size_bytes = model.size_bytes
    take_over(found, model)
