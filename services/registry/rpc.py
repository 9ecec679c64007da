"""tunesmith.registry.v1.RegistryService."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import grpc
from sqlalchemy import RowMapping, Select, Table, select
from tunesmith.registry.v1 import dataset_pb2, registry_service_pb2_grpc
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.chassis.files import read_chunks
from services.chassis.identity import PROJECT
from services.registry import convert, storage
from services.registry.ingest.intake import ROWS_FILE, Limits
from services.registry.pages import read_fitting_page
from services.registry.preview import preview
from services.registry.shelf import Shelf
from services.registry.usecases.create_base_model import BaseModelCreation
from services.registry.usecases.upload_dataset import upload_dataset

PREVIEW_ROW_COUNT = 5


class RegistryServicer(registry_service_pb2_grpc.RegistryServiceServicer):
    """Base models and datasets."""

    def __init__(
        self, database: Database, creation: BaseModelCreation, model_shelf: Shelf, dataset_shelf: Shelf, limits: Limits
    ) -> None:
        self._database = database
        self._creation = creation
        self._model_shelf = model_shelf
        self._dataset_shelf = dataset_shelf
        self._limits = limits

    async def CreateBaseModel(
        self, request: messages.CreateBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.CreateBaseModelResponse:
        return await self._creation.create(request)

    async def GetBaseModel(
        self, request: messages.GetBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetBaseModelResponse:
        return messages.GetBaseModelResponse(base_model=convert.base_model(await self._base_model(request.id)))

    async def ListBaseModels(
        self, request: messages.ListBaseModelsRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListBaseModelsResponse:
        rows, token = await self._page(storage.base_models, select(storage.base_models), request)
        return messages.ListBaseModelsResponse(base_models=[convert.base_model(row) for row in rows], next_page_token=token)

    async def ReadBaseModelFile(
        self, request: messages.ReadBaseModelFileRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.ReadBaseModelFileResponse]:
        model = convert.base_model(await self._base_model(request.id))
        file = next((file for file in model.files if file.path == request.path), None)
        if file is None:
            raise NotFound("file", request.path, f"GET /v1/base-models/{model.id} lists the model's files")
        path = self._model_shelf.path(model.id) / file.path
        async for chunk in read_chunks(path, request.offset, file.size_bytes):
            yield messages.ReadBaseModelFileResponse(chunk=chunk)

    async def UploadDataset(
        self, request_iterator: AsyncIterator[messages.UploadDatasetRequest], context: grpc.aio.ServicerContext
    ) -> messages.UploadDatasetResponse:
        return await upload_dataset(self._database, self._dataset_shelf, self._limits, aiter(request_iterator))

    async def GetDataset(
        self, request: messages.GetDatasetRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetDatasetResponse:
        return messages.GetDatasetResponse(dataset=await self._dataset(request.id))

    async def ListDatasets(
        self, request: messages.ListDatasetsRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListDatasetsResponse:
        query = select(storage.datasets)
        if request.format:
            query = query.where(storage.datasets.c.format == dataset_pb2.DatasetFormat.Name(request.format))
        rows, token = await self._page(storage.datasets, query, request)
        return messages.ListDatasetsResponse(datasets=[convert.dataset(row) for row in rows], next_page_token=token)

    async def PreviewDataset(
        self, request: messages.PreviewDatasetRequest, context: grpc.aio.ServicerContext
    ) -> messages.PreviewDatasetResponse:
        dataset = await self._dataset(request.id)
        path = self._dataset_shelf.path(dataset.id) / ROWS_FILE
        rows = await asyncio.to_thread(preview, path, request.row_count or PREVIEW_ROW_COUNT)
        return messages.PreviewDatasetResponse(rows=rows)

    async def ReadDataset(
        self, request: messages.ReadDatasetRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.ReadDatasetResponse]:
        dataset = await self._dataset(request.id)
        path = self._dataset_shelf.path(dataset.id) / ROWS_FILE
        async for chunk in read_chunks(path, request.offset, dataset.size_bytes):
            yield messages.ReadDatasetResponse(chunk=chunk)

    async def _dataset(self, dataset_id: str) -> dataset_pb2.Dataset:
        row = await self._database.read(lambda connection: storage.find_dataset(connection, PROJECT, dataset_id))
        return convert.dataset(row)

    async def _base_model(self, name: str) -> RowMapping:
        return await self._database.read(lambda connection: storage.find_base_model(connection, PROJECT, name))

    async def _page(self, table: Table, query: Select[Any], request: Any) -> tuple[Any, str]:
        query = query.where(table.c.project == PROJECT)
        return await self._database.read(partial(read_fitting_page, table=table, query=query, request=request))
