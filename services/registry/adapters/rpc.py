"""tunesmith.registry.v1.AdapterService."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import grpc
from sqlalchemy import Connection
from tunesmith.registry.v1 import adapter_pb2, adapter_service_pb2_grpc
from tunesmith.registry.v1 import adapter_service_pb2 as messages

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.errors import NotFound
from services.chassis.files import read_chunks
from services.chassis.identity import PROJECT
from services.chassis.ids import is_id, message_hash
from services.chassis.settings import Settings
from services.registry import storage as registry
from services.registry.adapters import storage
from services.registry.adapters.composition import Composition
from services.registry.adapters.recording import Answers
from services.registry.adapters.registration import AdapterRegistration
from services.registry.adapters.trained import find_base_model
from services.registry.adapters.upload import upload_adapter
from services.registry.domain import refuse_control_characters
from services.registry.pages import read_fitting_page
from services.registry.shelf import Shelf

_TABLE = storage.adapters
_UPDATED = Answers("UpdateAdapter", messages.UpdateAdapterResponse)


class AdapterServicer(adapter_service_pb2_grpc.AdapterServiceServicer):
    """Trained weights beside base models."""

    def __init__(self, database: Database, shelf: Shelf, settings: Settings, jobs: grpc.aio.Channel) -> None:
        self._database = database
        self._registration = AdapterRegistration(database, shelf, _roots(settings), jobs)
        self._composition = Composition(database, shelf)
        self._shelf = shelf

    async def CreateAdapter(
        self, request: messages.CreateAdapterRequest, context: grpc.aio.ServicerContext
    ) -> messages.CreateAdapterResponse:
        return messages.CreateAdapterResponse(adapter=await self._registration.register(request))

    async def UploadAdapter(
        self, request_iterator: AsyncIterator[messages.UploadAdapterRequest], context: grpc.aio.ServicerContext
    ) -> messages.UploadAdapterResponse:
        stream = aiter(request_iterator)
        adapter = await upload_adapter(self._database, self._shelf, stream)
        return messages.UploadAdapterResponse(adapter=adapter)

    async def ComposeAdapters(
        self, request: messages.ComposeAdaptersRequest, context: grpc.aio.ServicerContext
    ) -> messages.ComposeAdaptersResponse:
        return messages.ComposeAdaptersResponse(adapter=await self._composition.compose(request))

    async def GetAdapter(
        self, request: messages.GetAdapterRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetAdapterResponse:
        return messages.GetAdapterResponse(adapter=await self._adapter(request.id))

    async def ListAdapters(
        self, request: messages.ListAdaptersRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListAdaptersResponse:
        query = storage.listed(PROJECT)
        if request.base_model:
            query = query.where(_TABLE.c.base_model_id == await self._base_model_id(request.base_model))
        if request.type:
            query = query.where(_TABLE.c.type == adapter_pb2.AdapterType.Name(request.type))
        if request.status:
            query = query.where(_TABLE.c.status == adapter_pb2.AdapterStatus.Name(request.status))
        rows, token = await self._database.read(partial(read_fitting_page, table=_TABLE, query=query, request=request))
        return messages.ListAdaptersResponse(adapters=map(storage.adapter, rows), next_page_token=token)

    async def UpdateAdapter(
        self, request: messages.UpdateAdapterRequest, context: grpc.aio.ServicerContext
    ) -> messages.UpdateAdapterResponse:
        refuse_control_characters("display_name", request.display_name)

        def work(connection: Connection) -> adapter_pb2.Adapter:
            earlier = _UPDATED.find(connection, request.request_id, message_hash(request))
            if earlier is not None:
                return earlier
            adapter = storage.find_adapter(connection, PROJECT, request.id)
            if request.HasField("display_name"):
                adapter.display_name = request.display_name
            if request.HasField("description"):
                adapter.description = request.description
            adapter.metrics.update(request.metrics)
            adapter.update_time.CopyFrom(timestamp(now_ms(connection)))
            connection.execute(_TABLE.update().where(_TABLE.c.id == adapter.id).values(storage.changed_row(adapter)))
            _UPDATED.store(connection, request.request_id, message_hash(request), adapter)
            return adapter

        return messages.UpdateAdapterResponse(adapter=await registry.write(self._database, work))

    async def DeleteAdapter(
        self, request: messages.DeleteAdapterRequest, context: grpc.aio.ServicerContext
    ) -> messages.DeleteAdapterResponse:
        def work(connection: Connection) -> None:
            own = (_TABLE.c.project == PROJECT, _TABLE.c.id == request.id)
            listed = _TABLE.update().where(*own, _TABLE.c.delete_time_ms.is_(None))
            connection.execute(listed.values(delete_time_ms=now_ms(connection)))
            if connection.execute(_TABLE.select().where(*own)).one_or_none() is None:
                raise storage.not_found(request.id)

        await self._database.write(work)
        return messages.DeleteAdapterResponse()

    async def ReadAdapterFile(
        self, request: messages.ReadAdapterFileRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.ReadAdapterFileResponse]:
        adapter = await self._adapter(request.id)
        file = next((file for file in adapter.files if file.path == request.path), None)
        if file is None:
            raise NotFound("file", request.path, f"GET /v1/adapters/{adapter.id} lists the adapter's files")
        async for chunk in read_chunks(self._shelf.path(adapter.id) / file.path, request.offset, file.size_bytes):
            yield messages.ReadAdapterFileResponse(chunk=chunk)

    async def _adapter(self, adapter_id: str) -> adapter_pb2.Adapter:
        return await self._database.read(lambda connection: storage.find_adapter(connection, PROJECT, adapter_id))

    async def _base_model_id(self, name: str) -> str:
        """The id of a base model; adapters of one that was taken off the list are found by its id."""
        try:
            return (await find_base_model(self._database, name)).id
        except NotFound:
            if is_id(name):
                return name
            raise


def _roots(settings: Settings) -> list[Path]:
    """The folders below which adapters may be taken from."""
    return [root.resolve() for root in (settings.home, *map(Path, settings.import_roots))]
