"""The registry, wired."""

import asyncio

import grpc
import structlog
from sqlalchemy import Table
from tunesmith.registry.v1 import adapter_service_pb2_grpc, recipe_service_pb2_grpc, registry_service_pb2_grpc

from services.chassis.database import Database
from services.chassis.migrations import migrate
from services.chassis.server import client_channel
from services.chassis.settings import Settings
from services.registry import storage
from services.registry.adapters.rpc import AdapterServicer
from services.registry.adapters.storage import adapters
from services.registry.base_models import BaseModels
from services.registry.ingest.intake import Limits
from services.registry.recipes.rpc import RecipeServicer
from services.registry.rpc import RegistryServicer
from services.registry.shelf import Shelf

log = structlog.get_logger()


class RegistryService:
    """Base models, datasets, recipes and adapters: their records in the database, their files in the home."""

    names = tuple(f"tunesmith.registry.v1.{noun}Service" for noun in ("Registry", "Recipe", "Adapter"))

    def __init__(self, settings: Settings, database: Database, job_channel: grpc.aio.Channel) -> None:
        self._database = database
        self._job_channel = job_channel
        self._datasets = Shelf(settings.home / "datasets")
        self._base_models = BaseModels(settings, database, job_channel)
        limits = Limits(settings.max_dataset_bytes, settings.max_row_bytes)
        self._servicer = RegistryServicer(database, self._base_models, self._datasets, limits)
        self._adapters = Shelf(settings.home / "adapters")
        self._adapter_servicer = AdapterServicer(database, self._adapters, settings, job_channel)
        self._recipe_servicer = RecipeServicer(database)

    def add_to(self, server: grpc.aio.Server) -> None:
        registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(self._servicer, server)
        adapter_service_pb2_grpc.add_AdapterServiceServicer_to_server(self._adapter_servicer, server)
        recipe_service_pb2_grpc.add_RecipeServiceServicer_to_server(self._recipe_servicer, server)

    async def recover(self) -> None:
        """Finish or remove what a crash interrupted."""
        await self._recover(self._base_models.shelf, storage.base_models)
        await self._base_models.recover()
        await self._recover(self._datasets, storage.datasets)
        await self._recover(self._adapters, adapters)

    async def start(self) -> None:
        """Have the models profiled that no pool has built yet."""
        self._base_models.start()

    async def stop(self) -> None:
        """End downloads and questions; calls that are being answered go on."""
        await self._base_models.stop()

    async def close(self) -> None:
        await self._base_models.close()
        await self._job_channel.close()
        await asyncio.to_thread(self._database.close)

    async def _recover(self, shelf: Shelf, table: Table) -> None:
        recorded = await self._database.read(lambda connection: storage.ids_of(connection, table))
        kept, removed = await asyncio.to_thread(shelf.recover, recorded)
        if kept or removed:
            log.info("interrupted_folders_recovered", table=table.name, kept=kept, removed=removed)


async def build(settings: Settings) -> list[RegistryService]:
    """The registry on the configured database, its tables brought up to date."""
    database = Database(settings.database())
    await asyncio.to_thread(migrate, database.engine, "registry")
    service = RegistryService(settings, database, client_channel(settings.address_of("job")))
    # Before the server listens: an upload that began earlier would be taken for a leftover.
    await service.recover()
    return [service]
