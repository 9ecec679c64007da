"""A registry with whatever a test puts into it, answering over real gRPC."""

from collections.abc import AsyncIterator

import grpc
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2, dataset_statistics_pb2, registry_service_pb2_grpc
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.errors import NotFound


class FakeRegistry(registry_service_pb2_grpc.RegistryServiceServicer):
    """Models and datasets by id; the bytes of a file are its path's."""

    names = ("tunesmith.registry.v1.RegistryService",)

    def __init__(self) -> None:
        self.base_models: dict[str, base_model_pb2.BaseModel] = {}
        self.datasets: dict[str, dataset_pb2.Dataset] = {}
        self.statistics: dict[str, dataset_statistics_pb2.DatasetStatistics] = {}
        self.rows = b'{"text": "a"}\n'
        # Which files of which models were asked for, in order.
        self.model_reads: list[messages.ReadBaseModelFileRequest] = []

    def add_base_model(self, model_id: str, **fields: object) -> base_model_pb2.BaseModel:
        values = {"display_name": model_id, "trainable": True, "linear_modules": ["q_proj", "v_proj"], **fields}
        self.base_models[model_id] = base_model_pb2.BaseModel(id=model_id, **values)
        return self.base_models[model_id]

    def add_dataset(self, dataset_id: str, **fields: object) -> dataset_pb2.Dataset:
        values = {"display_name": dataset_id, "row_count": 100, "format": dataset_pb2.DATASET_FORMAT_TEXT, **fields}
        self.datasets[dataset_id] = dataset_pb2.Dataset(id=dataset_id, **values)
        return self.datasets[dataset_id]

    def add_to(self, server: grpc.aio.Server) -> None:
        registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(self, server)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def close(self) -> None: ...

    async def GetBaseModel(
        self, request: messages.GetBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetBaseModelResponse:
        if request.id not in self.base_models:
            raise NotFound("base model", request.id, "GET /v1/base-models lists them")
        return messages.GetBaseModelResponse(base_model=self.base_models[request.id])

    async def CreateBaseModel(
        self, request: messages.CreateBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.CreateBaseModelResponse:
        # Of an artifact: what a job makes is of the shape of the first model.
        return messages.CreateBaseModelResponse(base_model=next(iter(self.base_models.values())))

    async def GetDataset(
        self, request: messages.GetDatasetRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetDatasetResponse:
        if request.id not in self.datasets:
            raise NotFound("dataset", request.id, "GET /v1/datasets lists them")
        return messages.GetDatasetResponse(dataset=self.datasets[request.id])

    async def GetDatasetStatistics(
        self, request: messages.GetDatasetStatisticsRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetDatasetStatisticsResponse:
        if request.id not in self.statistics:
            raise NotFound("dataset", request.id, "GET /v1/datasets lists them")
        return messages.GetDatasetStatisticsResponse(statistics=self.statistics[request.id])

    async def ReadDataset(
        self, request: messages.ReadDatasetRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.ReadDatasetResponse]:
        yield messages.ReadDatasetResponse(chunk=self.rows)

    async def ReadBaseModelFile(
        self, request: messages.ReadBaseModelFileRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.ReadBaseModelFileResponse]:
        self.model_reads.append(request)
        yield messages.ReadBaseModelFileResponse(chunk=request.path.encode())
