"""The preflight service, wired."""

import grpc
from tunesmith.preflight.v1 import preflight_service_pb2_grpc

from services.chassis.server import client_channel
from services.chassis.settings import Settings
from services.preflight.rpc import PreflightServicer
from services.preflight.sources import Sources


class PreflightService:
    """Looks at what the registry and the job service have. Without state of its own."""

    names = ("tunesmith.preflight.v1.PreflightService",)

    def __init__(self, registry_channel: grpc.aio.Channel, job_channel: grpc.aio.Channel) -> None:
        self._channels = (registry_channel, job_channel)
        self._sources = Sources(registry_channel, job_channel)

    def add_to(self, server: grpc.aio.Server) -> None:
        preflight_service_pb2_grpc.add_PreflightServiceServicer_to_server(PreflightServicer(self._sources), server)

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """End lookups that nobody waits for."""
        self._sources.stop()

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


async def build(settings: Settings) -> list[PreflightService]:
    """The preflight service beside the services that the settings name."""
    return [PreflightService(client_channel(settings.address_of("registry")), client_channel(settings.address_of("job")))]
