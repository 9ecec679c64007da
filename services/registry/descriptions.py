"""Hub models of which only the name is known are looked up again: at a start, and when they are given a credential.

The hub may have been away when they were registered, or the credential missing, or the version of Tunesmith one that never asked.
"""

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy import Connection, select
from tunesmith.registry.v1 import base_model_pb2, registry_service_pb2

from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.registry import convert, storage
from services.registry.base_model_changes import change_base_model
from services.registry.importing.hub import Hub
from services.registry.importing.hub_model import describe
from services.registry.importing.refused import Refused

# What a description decides.
_DECIDED = (
    "family",
    "dtype",
    "architecture",
    "modality",
    "trainable",
    "servable",
    "quantized",
    "gguf",
    "tokenizer",
    "chat_template",
    "configuration_json",
    "profile_status",
    "profile_error",
)

# What the record has already.
_SAID = ("hub_repo", "revision", "credential_id", "cache_status")

log = structlog.get_logger()


def is_unknown(model: base_model_pb2.BaseModel) -> bool:
    """Whether nothing but its name is known of a hub model, and it is not on its way here."""
    there = model.files or model.configuration_json or model.gguf or not model.hub_repo
    return not there and model.cache_status != base_model_pb2.CACHE_STATUS_DOWNLOADING


class Descriptions:
    """Asks the hub. `changed` is called when a model's configuration is newly known."""

    def __init__(self, database: Database, hub: Hub, changed: Callable[[], None]) -> None:
        self._database = database
        self._hub = hub
        self._changed = changed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look up, in the background, what is unknown."""
        self._task = asyncio.create_task(self._look_up_all(), name="descriptions")

    async def stop(self) -> None:
        """End; the next start looks again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def look_up(self, model: base_model_pb2.BaseModel) -> base_model_pb2.BaseModel:
        """The model with what the hub says of it now. Raises NotFound if it was taken off the list meanwhile."""
        source = registry_service_pb2.HubSource(
            repo=model.hub_repo, revision=model.revision, private=model.private, credential_id=model.credential_id
        )
        try:
            found = await describe(self._hub, source)
        except Refused as refusal:
            found = base_model_pb2.BaseModel(
                trainable=True, servable=True, profile_status=base_model_pb2.PROFILE_STATUS_FAILED, profile_error=str(refusal)
            )

        def change(stored: base_model_pb2.BaseModel) -> None:
            if is_unknown(stored) and stored.credential_id == model.credential_id:
                _take(found, stored)

        described = await self._database.write(lambda connection: change_base_model(connection, model.id, change))
        self._changed()
        return described

    async def _look_up_all(self) -> None:
        if self._hub.is_offline:
            return
        try:
            for model in await self._database.read(_unknown):
                try:
                    await self.look_up(model)
                except NotFound:
                    continue
        except Exception:
            # Nobody waits for it, and the next start tries again.
            log.exception("descriptions_failed")


def _take(found: base_model_pb2.BaseModel, model: base_model_pb2.BaseModel) -> None:
    """Put what the hub says into a record of which little else was known; what people said stays."""
    described = base_model_pb2.BaseModel()
    described.CopyFrom(found)
    described.license = model.license or found.license
    described.private = model.private or found.private
    for name in _SAID:
        described.ClearField(name)
    for name in _DECIDED:
        model.ClearField(name)
    model.MergeFrom(described)


def _unknown(connection: Connection) -> list[base_model_pb2.BaseModel]:
    table = storage.base_models
    rows = connection.execute(select(table).where(table.c.delete_time_ms.is_(None)).order_by(table.c.id)).mappings()
    return [model for model in map(convert.base_model, rows) if is_unknown(model)]
