"""The parameter service, wired."""

import grpc
from tunesmith.parameter.v1 import parameter_service_pb2_grpc

from services.chassis.settings import Settings
from services.parameter.rpc import ParameterServicer


class ParameterService:
    """What can be configured. Without state, so there is nothing to start or close."""

    names = ("tunesmith.parameter.v1.ParameterService",)

    def add_to(self, server: grpc.aio.Server) -> None:
        parameter_service_pb2_grpc.add_ParameterServiceServicer_to_server(ParameterServicer(), server)

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    async def close(self) -> None:
        """Nothing to close."""


async def build(settings: Settings) -> list[ParameterService]:
    """The parameter service."""
    return [ParameterService()]
