"""A running registry beside a job service that holds whatever a test puts into it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.api import httpbody_pb2
from google.rpc import error_details_pb2, status_pb2
from sqlalchemy import create_engine, text
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

from services.chassis.settings import Settings
from services.registry.service import build
from tests.fakes.hub import FakeHub, running_hub
from tests.fakes.inquiries import FakeInquiries
from tests.fakes.server import running
from tests.unit.services.registry.fake_jobs import FakeJobs

MAX_DATASET_BYTES = 1_000_000


@dataclass
class House:
    """A running registry: its door, its disk, its neighbour."""

    stub: RegistryServiceStub
    jobs: FakeJobs
    inquiries: FakeInquiries
    settings: Settings
    # A folder that models may be imported from.
    imports: Path

    async def upload(self, *pieces: bytes, filename: str = "rows.jsonl", **fields: object) -> dataset_pb2.Dataset:
        async def stream() -> AsyncIterator[messages.UploadDatasetRequest]:
            request = messages.UploadDatasetRequest(filename=filename, **fields)
            for piece in pieces:
                request.data.CopyFrom(httpbody_pb2.HttpBody(data=piece))
                yield request
                request = messages.UploadDatasetRequest()

        return (await self.stub.UploadDataset(stream())).dataset

    async def create(self, **fields: object) -> base_model_pb2.BaseModel:
        return (await self.stub.CreateBaseModel(messages.CreateBaseModelRequest(**fields))).base_model

    async def get(self, name: str) -> base_model_pb2.BaseModel:
        return (await self.stub.GetBaseModel(messages.GetBaseModelRequest(id=name))).base_model

    async def download(self, model_id: str) -> base_model_pb2.BaseModel:
        return (await self.stub.DownloadBaseModel(messages.DownloadBaseModelRequest(id=model_id))).base_model

    async def downloaded(self, model_id: str) -> base_model_pb2.BaseModel:
        """The model when its download has ended, however it ended."""
        return await self.when(model_id, lambda model: model.cache_status != base_model_pb2.CACHE_STATUS_DOWNLOADING)

    async def profiled(self, model_id: str) -> base_model_pb2.BaseModel:
        """The model when a pool has answered about it, whatever it answered."""
        return await self.when(model_id, lambda model: model.profile_status != base_model_pb2.PROFILE_STATUS_PENDING)

    async def when(self, model_id: str, holds: Callable[[base_model_pb2.BaseModel], bool]) -> base_model_pb2.BaseModel:
        """The model as soon as something holds of it."""
        async with asyncio.timeout(20):
            while True:
                model = await self.get(model_id)
                if holds(model):
                    return model
                await asyncio.sleep(0.02)

    async def update(self, model_id: str, **fields: object) -> base_model_pb2.BaseModel:
        return (await self.stub.UpdateBaseModel(messages.UpdateBaseModelRequest(id=model_id, **fields))).base_model

    async def delete(self, model_id: str) -> None:
        await self.stub.DeleteBaseModel(messages.DeleteBaseModelRequest(id=model_id))

    async def listed(self, **filters: object) -> list[str]:
        """Hub names of the models that a list with these filters has."""
        response = await self.stub.ListBaseModels(messages.ListBaseModelsRequest(**filters))
        return [model.hub_repo for model in response.base_models]

    async def rows(self, dataset_id: str, offset: int = 0) -> bytes:
        request = messages.ReadDatasetRequest(id=dataset_id, offset=offset)
        return b"".join([response.chunk async for response in self.stub.ReadDataset(request)])

    def stored(self) -> tuple[int, int, list[str]]:
        """How many datasets and base models are recorded, and every file that is kept for them."""
        engine = create_engine(self.settings.database())
        try:
            with engine.connect() as connection:
                counts = [
                    connection.execute(text(f"SELECT COUNT(*) FROM registry_{table}")).scalar_one()
                    for table in ("datasets", "base_models")
                ]
        finally:
            engine.dispose()
        folders = [self.settings.home / name for name in ("datasets", "models")]
        files = sorted(path.name for folder in folders for path in folder.rglob("*") if path.is_file())
        return counts[0], counts[1], files


async def failure(call: object) -> grpc.aio.AioRpcError:
    """The error a call ends with."""
    try:
        await call  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call should have failed")


def violations_of(error: grpc.aio.AioRpcError) -> list[tuple[str, str]]:
    """Fields and sentences of an INVALID_ARGUMENT."""
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    bad_request = error_details_pb2.BadRequest()
    assert _detail(error).Unpack(bad_request)
    return [(violation.field, violation.description) for violation in bad_request.field_violations]


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The reason in an error's ErrorInfo."""
    info = error_details_pb2.ErrorInfo()
    assert _detail(error).Unpack(info), error
    return info.reason


def _detail(error: grpc.aio.AioRpcError):
    return status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"]).details[0]


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        yield Path(folder)


@pytest.fixture
async def house(home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    if not any(os.environ.get("HF_ENDPOINT", "").startswith(loopback) for loopback in ("http://127.", "http://localhost")):
        # A test that wants a hub starts one before.
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    imports = home / "imports"
    imports.mkdir()
    settings = Settings(
        home=home / "home",
        job_address=f"unix:{home}/jobs",
        import_roots=(str(imports),),
        max_dataset_bytes=MAX_DATASET_BYTES,
        max_row_bytes=100_000,
    )
    settings.home.mkdir()
    jobs, inquiries = FakeJobs(), FakeInquiries()
    neighbours = running([jobs, inquiries], f"unix:{home}/jobs")
    async with neighbours, running(await build(settings), f"unix:{home}/registry") as channel:
        yield House(RegistryServiceStub(channel), jobs, inquiries, settings, imports)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that the registry asks. Name it before `house`."""
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
        # A test that lets the hub hang asks for less patience.
        monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "15")
        monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "15")
        yield hub


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, hub: FakeHub) -> None:
    """A registry that waits for half a second."""
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "0.5")
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "0.5")
