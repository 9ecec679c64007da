"""The provider service, wired."""

import grpc
from tunesmith.provider.v1 import provider_service_pb2_grpc

from services.chassis.settings import Settings
from services.provider.rpc import ProviderServicer


class ProviderService:
    """What backends there are. Without state, so there is nothing to start or close."""

    names = ("tunesmith.provider.v1.ProviderService",)

    def add_to(self, server: grpc.aio.Server) -> None:
        provider_service_pb2_grpc.add_ProviderServiceServicer_to_server(ProviderServicer(), server)

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    async def close(self) -> None:
        """Nothing to close."""


async def build(settings: Settings) -> list[ProviderService]:
    """The provider service."""
    return [ProviderService()]
