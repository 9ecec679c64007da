"""tunesmith.registry.v1.RegistryService: its calls about base models."""

from collections.abc import AsyncIterator

import grpc
from sqlalchemy import RowMapping
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.chassis.files import read_chunks
from services.chassis.identity import PROJECT
from services.registry import convert, storage
from services.registry.base_models import BaseModels
from services.registry.usecases.delete_base_model import delete_base_model
from services.registry.usecases.list_base_models import list_base_models


class BaseModelCalls:
    """What can be tuned."""

    def __init__(self, database: Database, base_models: BaseModels) -> None:
        self._database = database
        self._base_models = base_models

    async def CreateBaseModel(
        self, request: messages.CreateBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.CreateBaseModelResponse:
        response = await self._base_models.creation.create(request)
        await self._base_models.shown(response.base_model)
        return response

    async def GetBaseModel(
        self, request: messages.GetBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetBaseModelResponse:
        (model,) = await self._base_models.shown_rows(await self._base_model(request.id))
        return messages.GetBaseModelResponse(base_model=model)

    async def ListBaseModels(
        self, request: messages.ListBaseModelsRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListBaseModelsResponse:
        rows, token = await self._database.read(lambda connection: list_base_models(connection, request))
        return messages.ListBaseModelsResponse(base_models=await self._base_models.shown_rows(*rows), next_page_token=token)

    async def UpdateBaseModel(
        self, request: messages.UpdateBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.UpdateBaseModelResponse:
        (model,) = await self._base_models.shown(await self._base_models.update(request))
        return messages.UpdateBaseModelResponse(base_model=model)

    async def DeleteBaseModel(
        self, request: messages.DeleteBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.DeleteBaseModelResponse:
        model_id = await self._database.write(lambda connection: delete_base_model(connection, request.id))
        await self._base_models.downloads.cancel(model_id)
        return messages.DeleteBaseModelResponse()

    async def DownloadBaseModel(
        self, request: messages.DownloadBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.DownloadBaseModelResponse:
        (model,) = await self._base_models.shown(await self._base_models.downloads.start(request.id))
        return messages.DownloadBaseModelResponse(base_model=model)

    async def ReadBaseModelFile(
        self, request: messages.ReadBaseModelFileRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.ReadBaseModelFileResponse]:
        # Taken off the list or not: jobs that were created with it read it to their end.
        model = convert.base_model(await self._base_model(request.id, deleted=True))
        file = next((file for file in model.files if file.path == request.path), None)
        if file is None:
            raise NotFound("file", request.path, f"GET /v1/base-models/{model.id} lists the model's files")
        path = self._base_models.shelf.path(model.id) / file.path
        async for chunk in read_chunks(path, request.offset, file.size_bytes):
            yield messages.ReadBaseModelFileResponse(chunk=chunk)

    async def _base_model(self, name: str, *, deleted: bool = False) -> RowMapping:
        return await self._database.read(lambda connection: storage.find_base_model(connection, PROJECT, name, deleted=deleted))
