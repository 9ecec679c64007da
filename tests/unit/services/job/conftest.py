"""A job service beside the real preflight, with a registry that holds one model and one dataset."""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from tunesmith.job.v1 import artifact_pb2, job_pb2, job_service_pb2
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub
from tunesmith.pool.v1.pool_service_pb2_grpc import PoolServiceStub
from tunesmith.worker.v1 import worker_service_pb2 as door
from tunesmith.worker.v1.worker_service_pb2_grpc import WorkerServiceStub

from services.chassis.settings import Settings
from services.job.service import build
from services.preflight.service import build as build_preflight
from tests.fakes.registry import FakeRegistry
from tests.fakes.server import running

CONFIGURATION = {
    "model": {"base_model": "model"},
    "datasets": {"training_file_id": "rows"},
    "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}},
}
POOL = "pool"


@dataclass
class House:
    """A running job service, seen from all its doors."""

    jobs: JobServiceStub
    pools: PoolServiceStub
    worker: WorkerServiceStub
    registry: FakeRegistry
    home: Path

    async def create(self, **fields: object) -> job_pb2.Job:
        request = {"provider": "local", "configuration": CONFIGURATION, **fields}
        message = json_format.ParseDict(request, job_service_pb2.CreateJobRequest())
        return (await self.jobs.CreateJob(message)).job

    async def get(self, job_id: str) -> job_pb2.Job:
        return (await self.jobs.GetJob(job_service_pb2.GetJobRequest(id=job_id))).job

    async def register(self, instance_id: str = "") -> None:
        request = door.RegisterPoolRequest(pool_id=POOL, providers=["local"], ready=True, instance_id=instance_id)
        await self.worker.RegisterPool(request)

    async def lease(self, instance_id: str = "") -> door.Assignment:
        await self.register(instance_id)
        return (await self.worker.Lease(door.LeaseRequest(pool_id=POOL))).assignment

    async def report(self, lease: door.LeaseToken, sequence: int, **fields: object) -> door.ReportResponse:
        return await self.worker.Report(door.ReportRequest(lease=lease, sequence=sequence, **fields))

    async def store(
        self,
        lease: door.LeaseToken,
        name: str = "adapter",
        sha256: str | None = None,
        kind: artifact_pb2.ArtifactKind = artifact_pb2.ARTIFACT_KIND_ADAPTER,
        step: int = 3,
    ) -> str:
        """Store a set of one file, announced with a hash that may be wrong."""
        body = b"weights"
        header = door.ArtifactSetHeader(lease=lease, kind=kind, name=name, step=step, file_count=1)
        file = door.ArtifactFileHeader(
            path="adapter_model.safetensors", size_bytes=len(body), sha256=sha256 or hashlib.sha256(body).hexdigest()
        )
        parts = [
            door.WriteArtifactSetRequest(set=header),
            door.WriteArtifactSetRequest(file=file),
            door.WriteArtifactSetRequest(chunk=body),
        ]
        return (await self.worker.WriteArtifactSet(iter(parts))).set_id

    async def events(self, job_id: str) -> list[str]:
        response = await self.jobs.ListJobEvents(job_service_pb2.ListJobEventsRequest(job_id=job_id))
        assert [event.sequence for event in response.events] == list(range(1, len(response.events) + 1))
        return [event.message for event in response.events]


@pytest.fixture
def socket() -> Iterator[str]:
    # A socket's path may have about a hundred characters; pytest's folders have more.
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        yield f"unix:{folder}/s"


@pytest.fixture
async def house(tmp_path: Path, socket: str) -> AsyncIterator[House]:
    settings = Settings(home=tmp_path, services_address=socket, lease_seconds=1.0)
    registry = FakeRegistry()
    registry.add_base_model("model")
    registry.add_dataset("rows")
    services = [registry, *await build(settings), *await build_preflight(settings)]
    async with running(services, socket) as channel:
        yield House(JobServiceStub(channel), PoolServiceStub(channel), WorkerServiceStub(channel), registry, tmp_path)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The message of an error, with what it says of fields."""
    return f"{error.code().name}: {error.details()}"
