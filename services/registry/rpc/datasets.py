"""tunesmith.registry.v1.RegistryService: its calls about datasets."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import grpc
from sqlalchemy import func, select
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.files import read_chunks
from services.chassis.identity import PROJECT
from services.registry import convert, storage
from services.registry.ingest.intake import ROWS_FILE, Limits
from services.registry.pages import read_fitting_page
from services.registry.preview import preview
from services.registry.shelf import Shelf
from services.registry.usecases.change_dataset import delete_dataset, update_dataset
from services.registry.usecases.convert_dataset import convert_dataset
from services.registry.usecases.count_dataset import DatasetCounting
from services.registry.usecases.upload_dataset import upload_dataset
from services.registry.usecases.verify_dataset import verify_dataset

PREVIEW_ROW_COUNT = 5


class DatasetCalls:
    """What can be tuned on."""

    def __init__(self, database: Database, dataset_shelf: Shelf, model_shelf: Shelf, limits: Limits) -> None:
        self._database = database
        self._dataset_shelf = dataset_shelf
        self._limits = limits
        self._counting = DatasetCounting(database, dataset_shelf, model_shelf)

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
        table = storage.datasets
        query = select(table).where(table.c.project == PROJECT, table.c.delete_time_ms.is_(None))
        if request.format:
            query = query.where(table.c.format == dataset_pb2.DatasetFormat.Name(request.format))
        if request.search:
            query = query.where(func.lower(table.c.display_name).contains(request.search.lower(), autoescape=True))
        if request.display_name:
            query = query.where(table.c.display_name == request.display_name)
        rows, token = await self._database.read(partial(read_fitting_page, table=table, query=query, request=request))
        return messages.ListDatasetsResponse(datasets=[convert.dataset(row) for row in rows], next_page_token=token)

    async def PreviewDataset(
        self, request: messages.PreviewDatasetRequest, context: grpc.aio.ServicerContext
    ) -> messages.PreviewDatasetResponse:
        dataset = await self._dataset(request.id)
        path = self._dataset_shelf.path(dataset.id) / ROWS_FILE
        rows = await asyncio.to_thread(preview, path, request.row_count or PREVIEW_ROW_COUNT)
        return messages.PreviewDatasetResponse(rows=rows)

    async def UpdateDataset(
        self, request: messages.UpdateDatasetRequest, context: grpc.aio.ServicerContext
    ) -> messages.UpdateDatasetResponse:
        return messages.UpdateDatasetResponse(dataset=await update_dataset(self._database, request))

    async def DeleteDataset(
        self, request: messages.DeleteDatasetRequest, context: grpc.aio.ServicerContext
    ) -> messages.DeleteDatasetResponse:
        await delete_dataset(self._database, request.id)
        return messages.DeleteDatasetResponse()

    async def GetDatasetStatistics(
        self, request: messages.GetDatasetStatisticsRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetDatasetStatisticsResponse:
        return messages.GetDatasetStatisticsResponse(statistics=await self._counting.statistics(request))

    async def ConvertDataset(
        self, request: messages.ConvertDatasetRequest, context: grpc.aio.ServicerContext
    ) -> messages.ConvertDatasetResponse:
        return await convert_dataset(self._database, self._dataset_shelf, self._limits, request)

    async def VerifyDataset(
        self, request: messages.VerifyDatasetRequest, context: grpc.aio.ServicerContext
    ) -> messages.VerifyDatasetResponse:
        return messages.VerifyDatasetResponse(dataset=await verify_dataset(self._database, self._dataset_shelf, request.id))

    async def ReadDataset(
        self, request: messages.ReadDatasetRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.ReadDatasetResponse]:
        # Also of one that was taken off the list: jobs that were created with it read it.
        dataset = await self._dataset(request.id, deleted=True)
        path = self._dataset_shelf.path(dataset.id) / ROWS_FILE
        async for chunk in read_chunks(path, request.offset, dataset.size_bytes):
            yield messages.ReadDatasetResponse(chunk=chunk)

    async def _dataset(self, dataset_id: str, *, deleted: bool = False) -> dataset_pb2.Dataset:
        row = await self._database.read(lambda connection: storage.find_dataset(connection, PROJECT, dataset_id, deleted=deleted))
        return convert.dataset(row)
