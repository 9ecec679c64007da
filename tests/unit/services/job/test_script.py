"""Scripts of jobs, as the service hands them out."""

import ast

import grpc
import pytest
import yaml
from tunesmith.job.v1 import job_service_pb2 as messages

from .conftest import CONFIGURATION, House, reason_of


async def script_of(
    house: House, job_id: str, script_format: messages.ScriptFormat = messages.SCRIPT_FORMAT_UNSPECIFIED
) -> messages.GetJobScriptResponse:
    return await house.jobs.GetJobScript(messages.GetJobScriptRequest(id=job_id, format=script_format))


async def test_a_job_s_script_is_python_that_says_whose_it_is(house: House) -> None:
    job = await house.create(display_name="first")
    script = await script_of(house, job.id)
    assert script.file_name == "train.py"
    documented = ast.get_docstring(ast.parse(script.content)) or ""
    assert documented.startswith("first (LORA).")
    assert job.id in documented
    assert await script_of(house, job.id, messages.SCRIPT_FORMAT_PYTHON) == script


async def test_the_same_job_for_axolotl(house: House) -> None:
    job = await house.create()
    script = await script_of(house, job.id, messages.SCRIPT_FORMAT_AXOLOTL)
    assert script.file_name == "axolotl.yaml"
    assert yaml.safe_load(script.content)["lora_r"] == 8
    assert any("another trainer than the job's" in each for each in script.differences)


async def test_what_axolotl_can_t_do_is_said_with_the_field(house: House) -> None:
    model = {"base_model": "model", "rope_scaling": {"factor": 2}}
    job = await house.create(configuration=CONFIGURATION | {"model": model})
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await script_of(house, job.id, messages.SCRIPT_FORMAT_AXOLOTL)
    assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "model.rope_scaling.factor: Axolotl's YAML" in reason_of(failure.value)


async def test_a_job_that_is_not_there_has_none(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await script_of(house, "nobody")
    assert failure.value.code() == grpc.StatusCode.NOT_FOUND
