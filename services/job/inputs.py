"""What a job needs from the registry, looked up once when it is created."""

import grpc
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2, registry_service_pb2
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

from services.chassis.errors import InvalidArgument, Unavailable

ARTIFACT_PREFIX = "artifact:"


class Registry:
    """The registry as the job service sees it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = RegistryServiceStub(channel)

    async def base_model(self, name: str, path: str) -> base_model_pb2.BaseModel:
        """A base model by id, hub name or `artifact:{id}`, which is imported at its first use.

        `path` is the field that named it. Raises InvalidArgument if there is no such model.
        """
        try:
            if name.startswith(ARTIFACT_PREFIX):
                artifact_id = name.removeprefix(ARTIFACT_PREFIX)
                imported = await self._stub.CreateBaseModel(registry_service_pb2.CreateBaseModelRequest(artifact_id=artifact_id))
                return imported.base_model
            found = await self._stub.GetBaseModel(registry_service_pb2.GetBaseModelRequest(id=name))
            return found.base_model
        except grpc.aio.AioRpcError as error:
            raise _as_violation(error, path) from error

    async def dataset(self, dataset_id: str, path: str) -> dataset_pb2.Dataset:
        """A dataset by id. Raises InvalidArgument if there is none."""
        try:
            return (await self._stub.GetDataset(registry_service_pb2.GetDatasetRequest(id=dataset_id))).dataset
        except grpc.aio.AioRpcError as error:
            raise _as_violation(error, path) from error

    def read_dataset(self, dataset_id: str) -> grpc.aio.UnaryStreamCall:
        """The rows of a dataset, as a stream of chunks."""
        return self._stub.ReadDataset(registry_service_pb2.ReadDatasetRequest(id=dataset_id))

    def read_base_model_file(self, base_model_id: str, path: str) -> grpc.aio.UnaryStreamCall:
        """One file of a base model, as a stream of chunks."""
        return self._stub.ReadBaseModelFile(registry_service_pb2.ReadBaseModelFileRequest(id=base_model_id, path=path))


def _as_violation(error: grpc.aio.AioRpcError, path: str) -> Exception:
    """The registry's answer, told of the field that caused it."""
    if error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION):
        return InvalidArgument([(path, error.details() or "not found")])
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return Unavailable("REGISTRY_UNAVAILABLE", "the registry does not answer just now; try again in a moment")
    return error
