"""What CreateJob accepts, refuses and remembers."""

import asyncio
import copy
import uuid
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tunesmith.job.v1 import job_service_pb2, job_state_pb2
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.settings import Settings
from services.job.service import build
from tests.fakes.registry import FakeRegistry
from tests.fakes.server import running
from tests.unit.services.job.conftest import CONFIGURATION, House, reason_of


def changed(path: str, value: object) -> dict:
    configuration = copy.deepcopy(CONFIGURATION)
    node = configuration
    *parents, leaf = path.split(".")
    for name in parents:
        node = node.setdefault(name, {})
    node[leaf] = value
    return configuration


async def job_count(house: House) -> int:
    return len((await house.jobs.ListJobs(job_service_pb2.ListJobsRequest())).jobs)


async def test_a_job_is_queued_with_defaults_resolved_and_its_first_event(house: House) -> None:
    job = await house.create(display_name="first")
    assert job.state == job_state_pb2.JOB_STATE_QUEUED
    assert (job.owner, job.project, job.provider, job.attempt) == ("local", "default", "local", 0)
    assert not job.configuration.HasField("schedule")
    assert job.resolved_configuration.schedule.epochs == 3
    assert job.resolved_configuration.method.lora_config.rank == 8
    assert await house.events(job.id) == ["Queued for local."]
    assert await house.get(job.id) == job


BAD = {
    "negative epochs": ("schedule.epochs", -1, "configuration.schedule.epochs"),
    "unknown enum": ("method.type", 99, "configuration.method.type"),
    "a rate that is no number": ("optimizer.learning_rate", "NaN", "configuration.optimizer.learning_rate"),
    "no such model": ("model.base_model", "nobody/nothing", "configuration.model.base_model"),
    "no such dataset": ("datasets.training_file_id", "nothing", "configuration.datasets.training_file_id"),
    "rank 257": ("method.lora_config.rank", 257, "configuration.method.lora_config.rank"),
    "LoRA without settings": ("method", {"type": "TRAINING_METHOD_LORA"}, "method.lora_config is required"),
    "chat without messages": ("datasets.strategy", "DATASET_STRATEGY_CHAT", "configuration.datasets.strategy"),
    "a module the model lacks": ("method.lora_config.trainable_modules", "c_attn", "it has q_proj, v_proj"),
    "a method local can't": (
        "method",
        {"type": "TRAINING_METHOD_PROMPT_TUNING", "prompt_tuning_config": {}, "objective": "TRAINING_OBJECTIVE_DPO"},
        "configuration.method.type",
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_input_is_named_and_nothing_is_stored(house: House, case: str) -> None:
    path, value, expected = BAD[case]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.create(configuration=changed(path, value))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert expected in reason_of(caught.value)
    assert await job_count(house) == 0


async def test_every_violation_is_told_at_once(house: House) -> None:
    configuration = changed("schedule.epochs", 0)
    configuration["optimizer"] = {"weight_decay": 2}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.create(configuration=configuration)
    assert "schedule.epochs" in caught.value.details() and "optimizer.weight_decay" in caught.value.details()


async def test_an_unknown_provider_is_answered_with_those_there_are(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="there are: axolotl, local, unsloth"):
        await house.create(provider="nowhere")


async def test_few_rows_need_confirmation(house: House) -> None:
    house.registry.add_dataset("few", row_count=9)
    configuration = changed("datasets.training_file_id", "few")
    with pytest.raises(grpc.aio.AioRpcError, match="accept_warnings: true") as caught:
        await house.create(configuration=configuration)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert await job_count(house) == 0
    assert (await house.create(configuration=configuration, accept_warnings=True)).id


async def test_messages_need_a_chat_template(house: House) -> None:
    house.registry.add_dataset("chat", format=dataset_pb2.DATASET_FORMAT_MESSAGES)
    configuration = changed("datasets.training_file_id", "chat")
    with pytest.raises(grpc.aio.AioRpcError, match="no chat template"):
        await house.create(configuration=configuration)
    house.registry.add_base_model("model", chat_template="{{ messages }}")
    assert (await house.create(configuration=configuration)).id


async def test_a_field_that_does_not_act_is_named_and_strict_refuses_it(house: House) -> None:
    configuration = changed("hardware.strategy", "DISTRIBUTION_STRATEGY_DDP")
    job = await house.create(configuration=configuration)
    assert any(event.startswith("hardware.strategy does not act: ") for event in await house.events(job.id))
    with pytest.raises(grpc.aio.AioRpcError, match=r"configuration\.hardware\.strategy"):
        await house.create(configuration=configuration, strict=True)


async def test_warnings_are_told_together_and_accepted_together(house: House) -> None:
    house.registry.add_dataset("few", row_count=9)
    configuration = changed("datasets.training_file_id", "few") | {"hardware": {"gpu_type": "A100"}}
    with pytest.raises(grpc.aio.AioRpcError, match=r"9 rows.*no pool has the GPU A100") as caught:
        await house.create(configuration=configuration)
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(caught.value).details[0].Unpack(info)
    assert (info.reason, info.metadata["codes"]) == ("WARNINGS_NOT_ACCEPTED", "FEW_ROWS,NO_SUCH_DEVICE")
    assert await job_count(house) == 0
    assert (await house.create(configuration=configuration, accept_warnings=True)).id


async def test_an_error_has_its_code_and_its_place_in_the_request(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.create(configuration=changed("method.lora_config.trainable_modules", "c_attn"))
    bad_request = error_details_pb2.BadRequest()
    assert rpc_status.from_call(caught.value).details[0].Unpack(bad_request)
    [violation] = bad_request.field_violations
    assert (violation.reason, violation.field) == (
        "LORA_TARGET_NOT_FOUND",
        "configuration.method.lora_config.trainable_modules",
    )


async def test_without_preflight_no_job_is_created(tmp_path: Path, socket: str) -> None:
    settings = Settings(home=tmp_path, services_address=socket)
    registry = FakeRegistry()
    async with running([registry, *await build(settings)], socket) as channel:
        request = json_format.ParseDict({"provider": "local", "configuration": CONFIGURATION}, job_service_pb2.CreateJobRequest())
        with pytest.raises(grpc.aio.AioRpcError, match="preflight service does not answer") as caught:
            await JobServiceStub(channel).CreateJob(request)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_repeated_request_is_one_job(house: House) -> None:
    request_id = str(uuid.uuid4())
    jobs = await asyncio.gather(*(house.create(request_id=request_id) for _ in range(100)))
    assert len({job.id for job in jobs}) == 1
    assert await job_count(house) == 1
    with pytest.raises(grpc.aio.AioRpcError, match="different body") as caught:
        await house.create(request_id=request_id, display_name="another")
    assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
