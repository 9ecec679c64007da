"""A running registry beside a job service that holds whatever a test puts into it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
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
from tests.fakes.server import running
from tests.unit.services.registry.fake_jobs import FakeJobs

MAX_DATASET_BYTES = 1_000_000


@dataclass
class House:
    """A running registry: its door, its disk, its neighbour."""

    stub: RegistryServiceStub
    jobs: FakeJobs
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
async def house(home: Path) -> AsyncIterator[House]:
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
    jobs = FakeJobs()
    async with running([jobs], f"unix:{home}/jobs"), running(await build(settings), f"unix:{home}/registry") as channel:
        yield House(RegistryServiceStub(channel), jobs, settings, imports)
