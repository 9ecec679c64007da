"""Models are profiled by pools, in the background, whenever there is one."""

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tunesmith.registry.v1 import base_model_pb2

from services.registry.service import build
from tests.fakes.inquiries import with_error, with_profile
from tests.fakes.server import running
from tests.unit.services.registry.conftest import House, RegistryServiceStub
from tests.unit.services.registry.models import LLAMA, LLAMA_MODULES, LLAMA_PARAMETERS, write_model

ATTENTION = ("model.layers.*.self_attn.q_proj", "model.layers.*.self_attn.v_proj")
HUB = {"repo": "me/model", "configuration_json": json.dumps({**LLAMA, "torch_dtype": "bfloat16"})}
PENDING, READY, FAILED = (
    base_model_pb2.PROFILE_STATUS_PENDING,
    base_model_pb2.PROFILE_STATUS_READY,
    base_model_pb2.PROFILE_STATUS_FAILED,
)


async def test_a_hub_model_is_known_by_its_profile(house: House) -> None:
    house.inquiries.answer = with_profile(1_000_000, *ATTENTION)
    model = await house.profiled((await house.create(hub=HUB)).id)
    assert model.profile_status == READY and model.profile.model_class == "LlamaForCausalLM"
    assert (model.parameter_count, list(model.linear_modules)) == (1_000_000, ["q_proj", "v_proj"])
    # Two bytes each.
    assert model.download_bytes == 2_000_000
    [asked] = house.inquiries.asked
    assert asked.profile.configuration_json == HUB["configuration_json"]


async def test_what_the_weights_say_is_kept(house: House) -> None:
    house.inquiries.answer = with_profile(LLAMA_PARAMETERS, *ATTENTION)
    with capture_logs() as logs:
        model = await house.profiled((await house.create(local_folder=str(write_model(house.imports / "tiny")))).id)
    assert model.profile_status == READY and list(model.linear_modules) == LLAMA_MODULES
    assert [log for log in logs if log["event"] == "parameter_counts_disagree"] == []


async def test_a_disagreement_is_logged(house: House) -> None:
    house.inquiries.answer = with_profile(LLAMA_PARAMETERS + 1)
    with capture_logs() as logs:
        model = await house.profiled((await house.create(local_folder=str(write_model(house.imports / "tiny")))).id)
    assert (model.parameter_count, model.profile.parameter_count) == (LLAMA_PARAMETERS, LLAMA_PARAMETERS + 1)
    [log] = [log for log in logs if log["event"] == "parameter_counts_disagree"]
    assert (log["weights"], log["built"]) == (LLAMA_PARAMETERS, LLAMA_PARAMETERS + 1)


async def test_without_a_pool_it_waits_quietly_for_one(house: House) -> None:
    with capture_logs() as logs:
        model = await house.create(hub=HUB)
        await house.inquiries.asked_times(2)
        assert (await house.get(model.id)).profile_status == PENDING
        house.inquiries.answer = with_profile(7)
        assert (await house.profiled(model.id)).profile_status == READY
    assert [log for log in logs if log["log_level"] in ("warning", "error")] == []


async def test_what_no_pool_can_build_is_told(house: House) -> None:
    house.inquiries.answer = with_error("transformers knows no family llamma; give a configuration it knows")
    model = await house.profiled((await house.create(hub=HUB)).id)
    assert (model.profile_status, model.profile_error) == (
        FAILED,
        "transformers knows no family llamma; give a configuration it knows",
    )
    assert model.trainable and not model.HasField("profile")
    # Others are asked about all the same.
    house.inquiries.answer = with_profile(7)
    other = await house.profiled((await house.create(hub={**HUB, "repo": "me/other"})).id)
    assert other.profile_status == READY and len(house.inquiries.asked) == 2


async def test_the_next_start_asks_about_what_is_left(house: House, home: Path) -> None:
    house.inquiries.answer = with_error("no")
    failed = await house.profiled((await house.create(hub=HUB)).id)
    own = {"model_type": "qwen", "auto_map": {"AutoConfig": "configuration_qwen.QWenConfig"}}
    never = await house.create(hub={"repo": "me/own", "configuration_json": json.dumps(own)})
    house.inquiries.answer = with_profile(7)
    async with running(await build(house.settings), f"unix:{home}/second") as channel:
        second = House(RegistryServiceStub(channel), house.jobs, house.inquiries, house.settings, house.imports)
        assert (await second.profiled(failed.id)).profile_status == READY
        assert (await second.get(never.id)).profile_status == FAILED


@pytest.mark.parametrize("change", ["deleted", "renamed"])
async def test_what_happens_meanwhile_stays(house: House, change: str) -> None:
    house.inquiries.awake.clear()
    house.inquiries.answer = with_profile(7)
    model = await house.create(hub=HUB)
    await house.inquiries.asked_times(1)
    if change == "deleted":
        await house.delete(model.id)
    else:
        await house.update(model.id, display_name="Mine")
    house.inquiries.awake.set()
    other = await house.profiled((await house.create(hub={**HUB, "repo": "me/other"})).id)
    assert other.profile_status == READY
    if change == "renamed":
        assert (await house.profiled(model.id)).display_name == "Mine"
