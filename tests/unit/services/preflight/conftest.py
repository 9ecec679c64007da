"""A running preflight service, beside a registry that holds what a test puts into it and a real job service."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.preflight.v1 import preflight_service_pb2 as messages
from tunesmith.preflight.v1.preflight_service_pb2_grpc import PreflightServiceStub
from tunesmith.preflight.v1.report_pb2 import Report
from tunesmith.worker.v1.worker_service_pb2_grpc import WorkerServiceStub

from services.chassis.settings import Settings
from services.job.service import build as build_jobs
from services.preflight.service import build
from tests.fakes.registry import FakeRegistry
from tests.fakes.server import running

CONFIGURATION = {
    "model": {"base_model": "model"},
    "datasets": {"training_file_id": "rows"},
    "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}},
}


@dataclass
class House:
    """The service, and what it looks at."""

    preflight: PreflightServiceStub
    worker: WorkerServiceStub
    registry: FakeRegistry

    async def check(self, configuration: dict | None = None, **fields: object) -> Report:
        body = {"configuration": CONFIGURATION if configuration is None else configuration, **fields}
        request = ParseDict(body, messages.CheckConfigurationRequest())
        return (await self.preflight.CheckConfiguration(request)).report


@pytest.fixture
async def house() -> AsyncIterator[House]:
    # Not tmp_path: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        settings = Settings(home=Path(folder), services_address=f"unix:{folder}/s")
        registry = FakeRegistry()
        registry.add_base_model("model", has_chat_template=False)
        registry.add_dataset("rows")
        services = [registry, *await build_jobs(settings), *await build(settings)]
        async with running(services, settings.services_address) as channel:
            yield House(PreflightServiceStub(channel), WorkerServiceStub(channel), registry)
