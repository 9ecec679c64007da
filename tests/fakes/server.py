"""Runs services on a socket for the length of a test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc

from services.chassis.server import Service, client_channel, serve


@asynccontextmanager
async def running(services: Sequence[Service], address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server with these services, stopped at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(serve(services, address, stop))
    channel = client_channel(address)
    try:
        await asyncio.wait_for(channel.channel_ready(), 10)
        yield channel
    finally:
        await channel.close()
        stop.set()
        await task
