"""The registry, wired."""

import asyncio
from pathlib import Path

import grpc
import structlog
from sqlalchemy import Table
from tunesmith.registry.v1 import registry_service_pb2_grpc

from services.chassis.database import Database
from services.chassis.migrations import migrate
from services.chassis.server import client_channel
from services.chassis.settings import Settings
from services.registry import storage
from services.registry.ingest.intake import Limits
from services.registry.rpc import RegistryServicer
from services.registry.shelf import Shelf
from services.registry.usecases.create_base_model import BaseModelCreation

log = structlog.get_logger()


class RegistryService:
    """Base models and datasets: their records in the database, their files in the home."""

    names = ("tunesmith.registry.v1.RegistryService",)

    def __init__(self, settings: Settings, database: Database, job_channel: grpc.aio.Channel) -> None:
        self._database = database
        self._job_channel = job_channel
        self._models = Shelf(settings.home / "models")
        self._datasets = Shelf(settings.home / "datasets")
        roots = [root.resolve() for root in (settings.home, *map(Path, settings.import_roots))]
        creation = BaseModelCreation(database, self._models, roots, job_channel)
        limits = Limits(settings.max_dataset_bytes, settings.max_row_bytes)
        self._servicer = RegistryServicer(database, creation, self._models, self._datasets, limits)

    def add_to(self, server: grpc.aio.Server) -> None:
        registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(self._servicer, server)

    async def recover(self) -> None:
        """Finish or remove what a crash interrupted."""
        await self._recover(self._models, storage.base_models)
        await self._recover(self._datasets, storage.datasets)

    async def start(self) -> None:
        """There is no background work."""

    async def stop(self) -> None:
        """There is no background work; calls that are being answered go on."""

    async def close(self) -> None:
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
