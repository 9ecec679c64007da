"""The service over gRPC: what it looks up, and what it says of what is not there."""

import asyncio
import tempfile
from pathlib import Path

import grpc
import pytest
from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CPU, Device
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR
from tunesmith.preflight.v1.preflight_service_pb2 import CheckConfigurationRequest
from tunesmith.preflight.v1.preflight_service_pb2_grpc import PreflightServiceStub
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.settings import Settings
from services.preflight.service import build
from tests.fakes.server import running
from tests.unit.services.preflight.conftest import CONFIGURATION, House
from tests.unit.services.preflight.known import codes, the


async def test_a_configuration_that_nothing_is_wrong_with(house: House) -> None:
    found = await house.check()
    assert codes(found, SEVERITY_ERROR) == []
    assert found.ok
    assert found.resolved_configuration.schedule.epochs == 3
    assert {one.field_path for one in found.lowering} >= {"model.base_model", "optimizer.learning_rate"}


async def test_everything_that_is_not_there_is_told_at_once(house: House) -> None:
    configuration = CONFIGURATION | {
        "model": {"base_model": "nobody/nothing"},
        "datasets": {"training_file_id": "none", "validation_file_id": "none either"},
        "schedule": {"epochs": -1},
    }
    found = await house.check(configuration, provider="nowhere", adapters=[{"adapter_id": "lost"}], recipe="unheard of")
    assert [(one.code, one.field_path) for one in found.findings if one.severity == SEVERITY_ERROR] == [
        ("BASE_MODEL_NOT_FOUND", "model.base_model"),
        ("DATASET_NOT_FOUND", "datasets.training_file_id"),
        ("DATASET_NOT_FOUND", "datasets.validation_file_id"),
        ("OUT_OF_RANGE", "schedule.epochs"),
        ("PROVIDER_UNKNOWN", ""),
        ("ADAPTER_NOT_FOUND", ""),
        ("RECIPE_NOT_FOUND", ""),
    ]
    assert "there are: axolotl, local, unsloth" in the(found, "PROVIDER_UNKNOWN").message


async def test_an_empty_request_is_answered(house: House) -> None:
    found = await house.check({})
    assert codes(found, SEVERITY_ERROR) == ["REQUIRED_FIELD"] * 3


async def test_findings_come_with_the_worst_first_in_the_order_of_the_form(house: House) -> None:
    configuration = CONFIGURATION | {"schedule": {"batch_size": 32, "epochs": 99}, "optimizer": {"weight_decay": 7}}
    found = await house.check(configuration)
    severities = [one.severity for one in found.findings]
    assert severities == sorted(severities, reverse=True)
    errors = [one.field_path for one in found.findings if one.severity == SEVERITY_ERROR]
    assert errors == ["schedule.epochs", "optimizer.weight_decay"]


async def test_a_pool_that_came_is_seen(house: House) -> None:
    assert "NO_POOL" in codes(await house.check())
    device = Device(kind=DEVICE_KIND_CPU, name="a processor", memory_bytes=2**34, core_count=2)
    await house.worker.RegisterPool(door.RegisterPoolRequest(pool_id="p", providers=["local"], devices=[device], ready=True))
    # Pools are looked at anew after half a second.
    async with asyncio.timeout(5):
        while "NO_POOL" in codes(found := await house.check()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert found.placement.pool_id == "p"
    assert found.placement.device.name == "a processor"


async def test_an_artifact_that_is_not_there(house: House) -> None:
    found = await house.check(CONFIGURATION | {"model": {"base_model": "artifact:nothing"}})
    assert the(found, "BASE_MODEL_NOT_FOUND").field_path == "model.base_model"


async def test_without_a_registry_nobody_can_look() -> None:
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        settings = Settings(home=Path(folder), services_address=f"unix:{folder}/p", registry_address=f"unix:{folder}/nobody")
        async with running(await build(settings), settings.services_address) as channel:
            request = CheckConfigurationRequest()
            request.configuration.model.base_model = "model"
            with pytest.raises(grpc.aio.AioRpcError, match="does not answer just now") as caught:
                await PreflightServiceStub(channel).CheckConfiguration(request)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
