"""A gRPC server with health, reflection and the call interceptor, and the loop that runs one until it is told to stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

import grpc
import structlog
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from services.chassis.calls import CallInterceptor
from services.chassis.logging import configure_logging
from services.chassis.settings import Settings

# A report of metrics or a job's configuration is far smaller; bytes travel in streams of 1 MiB messages.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
STOP_GRACE_S = 5.0

log = structlog.get_logger()


class Service(Protocol):
    """One service, wired and ready to be added to a server."""

    @property
    def names(self) -> Sequence[str]:
        """Full names of the gRPC services it answers: `tunesmith.job.v1.JobService`."""

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register its servicers."""

    async def start(self) -> None:
        """Begin background work; called once the server listens."""

    async def stop(self) -> None:
        """End background work and streams; calls that are being answered go on."""

    async def close(self) -> None:
        """Close what is open; called when no call is left."""


def client_channel(address: str) -> grpc.aio.Channel:
    """A channel to another service. It connects by itself and again after a restart."""
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]
    return grpc.aio.insecure_channel(address, options=options)


async def serve(services: Sequence[Service], address: str, stop: asyncio.Event) -> None:
    """Run services at one address until `stop` is set."""
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).parent.mkdir(parents=True, exist_ok=True)
    server = grpc.aio.server(
        interceptors=[CallInterceptor()],
        options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 0)],
    )
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = [name for service in services for name in service.names]
    for service in services:
        service.add_to(server)
    reflection.enable_server_reflection(
        (*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME), server
    )
    server.add_insecure_port(address)
    await server.start()
    for service in services:
        await service.start()
    for name in ("", *names):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    log.info("server_ready", address=address, services=names)
    await stop.wait()
    await health.enter_graceful_shutdown()
    for service in services:
        await service.stop()
    await server.stop(STOP_GRACE_S)
    for service in services:
        await service.close()


def main(name: str, build: Callable[[Settings], Awaitable[Sequence[Service]]], address: str | None = None) -> None:
    """Entry of a server's process: settings, logs, signals, services."""

    async def run() -> None:
        settings = Settings()
        configure_logging(name, settings.log_level)
        settings.home.mkdir(parents=True, exist_ok=True)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(await build(settings), address or settings.address_of(name), stop)

    # A call costs a fifth less of a processor than on asyncio's own loop.
    uvloop.run(run())
