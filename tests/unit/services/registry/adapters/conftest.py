"""A running registry with a tiny Llama in it, through the door of its adapters."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.api import httpbody_pb2
from tunesmith.registry.v1 import adapter_pb2, base_model_pb2
from tunesmith.registry.v1 import adapter_service_pb2 as messages
from tunesmith.registry.v1.adapter_service_pb2_grpc import AdapterServiceStub

from services.chassis.server import client_channel
from tests.unit.services.registry.conftest import House
from tests.unit.services.registry.models import write_model

MODEL = "me/tiny"
PIECE_BYTES = 700


@dataclass
class Room:
    """The adapters' door, and the house around it."""

    stub: AdapterServiceStub
    house: House
    model: base_model_pb2.BaseModel

    async def upload(self, body: bytes, *, base_model: str = MODEL, **fields: str) -> adapter_pb2.Adapter:
        async def stream() -> AsyncIterator[messages.UploadAdapterRequest]:
            request = messages.UploadAdapterRequest(base_model=base_model, **fields)
            for start in range(0, max(1, len(body)), PIECE_BYTES):
                request.data.CopyFrom(httpbody_pb2.HttpBody(data=body[start : start + PIECE_BYTES]))
                yield request
                request = messages.UploadAdapterRequest()

        return (await self.stub.UploadAdapter(stream())).adapter

    async def create(self, **fields: object) -> adapter_pb2.Adapter:
        return (await self.stub.CreateAdapter(messages.CreateAdapterRequest(**fields))).adapter

    async def compose(self, *shares: tuple[adapter_pb2.Adapter, float], **fields: str) -> adapter_pb2.Adapter:
        components = [adapter_pb2.AdapterWeight(adapter_id=adapter.id, weight=weight) for adapter, weight in shares]
        return (await self.stub.ComposeAdapters(messages.ComposeAdaptersRequest(components=components, **fields))).adapter

    async def get(self, adapter_id: str) -> adapter_pb2.Adapter:
        return (await self.stub.GetAdapter(messages.GetAdapterRequest(id=adapter_id))).adapter

    async def listed(self, **filters: object) -> list[str]:
        response = await self.stub.ListAdapters(messages.ListAdaptersRequest(**filters))
        return [adapter.id for adapter in response.adapters]

    async def content(self, adapter: adapter_pb2.Adapter, path: str, offset: int = 0) -> bytes:
        request = messages.ReadAdapterFileRequest(id=adapter.id, path=path, offset=offset)
        return b"".join([response.chunk async for response in self.stub.ReadAdapterFile(request)])

    def files(self) -> list[str]:
        """Every file that is kept for adapters, by folder."""
        root = self.house.settings.home / "adapters"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
async def room(house: House, home: Path) -> AsyncIterator[Room]:
    folder = await asyncio.to_thread(write_model, house.imports / "tiny")
    model = await house.create(local_folder=str(folder), hub_repo=MODEL)
    channel = client_channel(f"unix:{home}/registry")
    yield Room(AdapterServiceStub(channel), house, model)
    await channel.close()
