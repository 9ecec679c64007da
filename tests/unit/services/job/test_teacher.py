"""A distillation's teacher is a model like the base: looked up once, given to the worker, and read by its lease alone."""

from typing import Any

import grpc
import pytest
from tunesmith.worker.v1 import worker_service_pb2 as door

from tests.unit.services.job.conftest import CONFIGURATION, House, reason_of

TEACHER = "method.distillation_config.teacher_model"


def distillation(teacher: str = "sage") -> dict[str, Any]:
    method = {"objective": "TRAINING_OBJECTIVE_DISTILLATION", "distillation_config": {"teacher_model": teacher}}
    return CONFIGURATION | {"method": CONFIGURATION["method"] | method}


async def read(house: House, lease: door.LeaseToken, role: door.ModelRole) -> bytes:
    request = door.ReadBaseModelFileRequest(lease=lease, path="config.json", role=role)
    return b"".join([response.chunk async for response in house.worker.ReadBaseModelFile(request)])


async def test_a_teacher_is_given_to_the_worker_as_it_was(house: House) -> None:
    house.registry.add_base_model("sage", revision="abc")
    await house.create(configuration=distillation())
    house.registry.add_base_model("sage", revision="def")
    assignment = await house.lease()
    assert (assignment.base_model.id, assignment.teacher_model.id, assignment.teacher_model.revision) == ("model", "sage", "abc")
    assert assignment.configuration.method.distillation_config.temperature == 2
    for role in (door.MODEL_ROLE_BASE, door.MODEL_ROLE_UNSPECIFIED, door.MODEL_ROLE_TEACHER):
        assert await read(house, assignment.lease, role) == b"config.json"
    asked = [request.id for request in house.registry.model_reads]
    assert asked == ["model", "model", "sage"]


async def test_a_teacher_that_is_not_there_is_told_of_its_field(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.create(configuration=distillation("nobody"))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert f"configuration.{TEACHER}" in reason_of(caught.value)


async def test_a_job_without_a_teacher_has_none_to_read(house: House) -> None:
    await house.create()
    assignment = await house.lease()
    assert not assignment.HasField("teacher_model")
    with pytest.raises(grpc.aio.AioRpcError, match="read the base model") as caught:
        await read(house, assignment.lease, door.MODEL_ROLE_TEACHER)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
