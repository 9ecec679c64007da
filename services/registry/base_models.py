"""Everything about base models, wired: registering, downloading, profiling, and what an answer shows of them."""

from pathlib import Path

import grpc
from sqlalchemy import RowMapping
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.settings import Settings
from services.registry import convert, download_rate
from services.registry.descriptions import Descriptions, is_unknown
from services.registry.downloads import Downloads
from services.registry.importing.hub import Hub
from services.registry.profiles import Profiles
from services.registry.refresh import refresh
from services.registry.shelf import Shelf
from services.registry.usecases.create_base_model import BaseModelCreation
from services.registry.usecases.update_base_model import update_base_model


class BaseModels:
    """The room that base models are kept in."""

    def __init__(self, settings: Settings, database: Database, jobs: grpc.aio.Channel) -> None:
        self._database = database
        self.shelf = Shelf(settings.home / "models")
        hub = self._hub = Hub()
        roots = [root.resolve() for root in (settings.home, *map(Path, settings.import_roots))]
        self._profiles = Profiles(database, jobs)
        self.creation = BaseModelCreation(database, self.shelf, roots, jobs, hub, self._profiles.wake)
        self.downloads = Downloads(database, self.shelf, hub, self._profiles.wake)
        self._descriptions = Descriptions(database, hub, self._profiles.wake)

    async def recover(self) -> None:
        """Bring what earlier versions and an earlier end left up to date. Call it before the service takes calls."""
        await self.downloads.recover()
        await refresh(self._database, self.shelf)
        await self._profiles.recover()

    def start(self) -> None:
        """Begin what runs in the background."""
        self._profiles.start()
        self._descriptions.start()

    async def stop(self) -> None:
        """End it."""
        await self._descriptions.stop()
        await self._profiles.stop()
        await self.downloads.stop()

    async def close(self) -> None:
        """Close what is open; called when no call is left."""
        await self._hub.close()

    async def update(self, request: messages.UpdateBaseModelRequest) -> base_model_pb2.BaseModel:
        """Change what people say; a credential that opens what was closed is used at once. Raises as `update_base_model` does."""
        response = await self._database.write(lambda connection: update_base_model(connection, request))
        if request.HasField("credential_id") and is_unknown(response.base_model):
            return await self._descriptions.look_up(response.base_model)
        return response.base_model

    async def shown(self, *models: base_model_pb2.BaseModel) -> list[base_model_pb2.BaseModel]:
        """The models with what is told at the moment of an answer."""
        rate = await self._database.read(download_rate.last_rate)
        for model in models:
            self.downloads.show(model, rate)
        return list(models)

    async def shown_rows(self, *rows: RowMapping) -> list[base_model_pb2.BaseModel]:
        """The same, of their rows."""
        return await self.shown(*map(convert.base_model, rows))
