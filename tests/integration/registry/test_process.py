"""The registry as a process: killed while it works, stopped while it works, and fed more than it may hold."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest
from google.api import httpbody_pb2
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

from tests.integration.registry.conftest import Process

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
LARGE_MIB = 192
# What an upload may take beside what the idle process has.
MAX_GROWTH_BYTES = 200 * MIB


def pieces(count: int) -> Iterator[bytes]:
    row = json.dumps({"messages": [{"role": "user", "content": "?" * 400}, {"role": "assistant", "content": "!" * 400}]})
    piece = f"{row}\n".encode() * (MIB // (len(row) + 1))
    for _ in range(count):
        yield piece


async def upload(stub: RegistryServiceStub, count: int, then: asyncio.Event | None = None) -> dataset_pb2.Dataset:
    """Upload so many pieces; `then` is set after them, and the upload never ends."""

    async def stream() -> AsyncIterator[messages.UploadDatasetRequest]:
        for piece in pieces(count):
            yield messages.UploadDatasetRequest(filename="rows.jsonl", data=httpbody_pb2.HttpBody(data=piece))
        if then is not None:
            then.set()
            await asyncio.Event().wait()

    return (await stub.UploadDataset(stream())).dataset


async def test_a_crash_during_an_upload_costs_that_upload_and_nothing_else(process: Process) -> None:
    channel = await process.start()
    stub = RegistryServiceStub(channel)
    kept = await upload(stub, 1)
    half_way = asyncio.Event()
    lost = asyncio.create_task(upload(stub, 20, half_way))
    await half_way.wait()
    process.kill()
    with pytest.raises(Exception, match="UNAVAILABLE"):
        await lost
    await channel.close()
    assert len(list((process.home / "datasets" / ".incoming").iterdir())) == 1

    channel = await process.start()
    stub = RegistryServiceStub(channel)
    assert list((await stub.ListDatasets(messages.ListDatasetsRequest())).datasets) == [kept]
    assert list((process.home / "datasets" / ".incoming").iterdir()) == []
    chunks = [response.chunk async for response in stub.ReadDataset(messages.ReadDatasetRequest(id=kept.id))]
    assert b"".join(chunks) == next(pieces(1))
    await channel.close()


async def test_it_stops_in_the_middle_of_an_upload_and_leaves_nothing(process: Process) -> None:
    channel = await process.start()
    half_way = asyncio.Event()
    lost = asyncio.create_task(upload(RegistryServiceStub(channel), 5, half_way))
    await half_way.wait()
    assert await asyncio.to_thread(process.stop) == 0
    with pytest.raises(Exception, match=r"UNAVAILABLE|CANCELLED"):
        await lost
    await channel.close()
    assert list((process.home / "datasets" / ".incoming").iterdir()) == []


async def test_a_large_upload_takes_little_memory(process: Process) -> None:
    channel = await process.start()
    stub = RegistryServiceStub(channel)
    await upload(stub, 1)
    idle = process.peak_bytes()
    dataset = await upload(stub, LARGE_MIB)
    assert dataset.size_bytes == sum(map(len, pieces(LARGE_MIB)))
    assert process.peak_bytes() - idle < MAX_GROWTH_BYTES
    await channel.close()
