"""Base models are filtered, changed, and taken off the list."""

import asyncio
import json
from pathlib import Path

import grpc
import pytest
from tunesmith.job.v1 import artifact_pb2
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from tests.unit.services.registry.conftest import House, failure, reason_of, violations_of
from tests.unit.services.registry.models import LLAMA, write_model

LLAMA_8B = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
QWEN = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}
VIT = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "image_size": 224, "patch_size": 16}
GEMMA = {"model_type": "gemma3", "text_config": {"hidden_size": 8}, "vision_config": {"image_size": 896, "patch_size": 14}}
AWQ = {**LLAMA_8B, "quantization_config": {"quant_method": "awq"}}
INSTRUCT, PRODUCTION = base_model_pb2.STAGE_INSTRUCT, base_model_pb2.LIFECYCLE_PRODUCTION


def hub(repo: str, config: dict[str, object]) -> dict[str, object]:
    return {"repo": repo, "configuration_json": json.dumps(config)}


@pytest.fixture
async def models(house: House) -> None:
    await house.create(hub=hub("meta/Llama-8B", LLAMA_8B), lifecycle=PRODUCTION)
    await house.create(hub=hub("meta/Llama-8B-Instruct", LLAMA_8B), stage=INSTRUCT, display_name="Über Llama")
    await house.create(hub=hub("qwen/Qwen3_8B", QWEN), stage=INSTRUCT)
    await house.create(hub=hub("google/vit", VIT))
    await house.create(hub=hub("google/gemma", GEMMA), stage=INSTRUCT, lifecycle=PRODUCTION)
    await house.create(hub=hub("me/awq", AWQ))


FILTERS = {
    "family": ({"family": "llama"}, ["me/awq", "meta/Llama-8B-Instruct", "meta/Llama-8B"]),
    "no such family": ({"family": "lla"}, []),
    "stage": ({"stage": INSTRUCT}, ["google/gemma", "qwen/Qwen3_8B", "meta/Llama-8B-Instruct"]),
    "lifecycle": ({"lifecycle": PRODUCTION}, ["google/gemma", "meta/Llama-8B"]),
    "not trainable": ({"trainable": False}, ["me/awq"]),
    "vision": ({"modality": base_model_pb2.MODALITY_VISION}, ["google/vit"]),
    "vision and text": ({"modality": base_model_pb2.MODALITY_VISION_TEXT}, ["google/gemma"]),
    "search in the hub name": ({"search": "LLAMA-8b-i"}, ["meta/Llama-8B-Instruct"]),
    "search in the display name, beyond ASCII": ({"search": "ÜBER l"}, ["meta/Llama-8B-Instruct"]),
    "search in the family": ({"search": "gemma3"}, ["google/gemma"]),
    "what SQL would take for any character": ({"search": "n3_8"}, ["qwen/Qwen3_8B"]),
    "and is none here": ({"search": "a_8"}, []),
    "several at once": ({"stage": INSTRUCT, "trainable": True, "search": "llama"}, ["meta/Llama-8B-Instruct"]),
}


@pytest.mark.usefixtures("models")
async def test_lists_are_filtered(house: House) -> None:
    for case, (filters, expected) in FILTERS.items():
        assert await house.listed(**filters) == expected, case
    assert len(await house.listed(trainable=True)) == 5 and len(await house.listed()) == 6


@pytest.mark.usefixtures("models")
async def test_pages_of_a_filtered_list_are_full(house: House) -> None:
    request = messages.ListBaseModelsRequest(stage=INSTRUCT, page_size=2)
    first = await house.stub.ListBaseModels(request)
    request.page_token = first.next_page_token
    second = await house.stub.ListBaseModels(request)
    assert (len(first.base_models), len(second.base_models), second.next_page_token) == (2, 1, "")
    request.stage = base_model_pb2.STAGE_PRETRAINED
    assert violations_of(await failure(house.stub.ListBaseModels(request)))[0][0] == "page_token"


async def test_shapes_of_what_sees_and_of_mixtures(house: House) -> None:
    vit = (await house.create(hub=hub("google/vit", VIT))).architecture
    assert (vit.image_size, vit.patch_size) == (224, 16)
    gemma = (await house.create(hub=hub("google/gemma", GEMMA))).architecture
    assert (gemma.hidden_size, gemma.image_size, gemma.patch_size) == (8, 896, 14)
    mixture = {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, "head_dim": 128, "sliding_window": 4096}
    shape = (await house.create(hub=hub("a/mixture", mixture))).architecture
    assert (shape.expert_count, shape.active_expert_count, shape.head_size, shape.sliding_window) == (8, 2, 128, 4096)
    unused = {"model_type": "qwen2", "sliding_window": 32768, "use_sliding_window": False, "tie_word_embeddings": True}
    shape = (await house.create(hub=hub("a/unused", unused))).architecture
    assert not shape.HasField("sliding_window") and shape.tied_embeddings


async def test_what_people_say_is_changed(house: House) -> None:
    model = await house.create(hub=hub("me/model", LLAMA_8B))
    changed = await house.update(
        model.id, display_name="Mine", stage=INSTRUCT, lifecycle=PRODUCTION, license="mit", private=True,
        credential_id="HF_TOKEN", has_chat_template=True,
    )  # fmt: skip
    assert (changed.display_name, changed.stage, changed.lifecycle, changed.license) == ("Mine", INSTRUCT, PRODUCTION, "mit")
    assert changed.private and changed.has_chat_template and changed.credential_id == "HF_TOKEN"
    assert changed.update_time.ToNanoseconds() > model.update_time.ToNanoseconds() >= model.create_time.ToNanoseconds()
    assert await house.get("me/model") == changed
    assert await house.listed(search="mine", lifecycle=PRODUCTION) == ["me/model"]
    # An update that changes nothing is none.
    assert await house.update(model.id, display_name="Mine") == changed
    assert (await house.update(model.id, credential_id="")).credential_id == ""


async def test_a_repeated_update_does_not_undo_a_later_one(house: House) -> None:
    model = await house.create(hub=hub("me/model", LLAMA_8B))
    await house.update(model.id, license="one", request_id="first")
    await house.update(model.id, license="two", request_id="second")
    await house.update(model.id, license="one", request_id="first")
    assert (await house.get(model.id)).license == "two"
    assert reason_of(await failure(house.update(model.id, license="x", request_id="first"))) == "REQUEST_ID_REUSED"


async def test_updates_at_the_same_time_lose_nothing(house: House) -> None:
    model = await house.create(hub=hub("me/model", LLAMA_8B))
    fields = [{"license": "mit"}, {"private": True}, {"display_name": "Mine"}, {"stage": INSTRUCT}]
    await asyncio.gather(*(house.update(model.id, **field) for field in fields))
    changed = await house.get(model.id)
    assert (changed.license, changed.private, changed.display_name, changed.stage) == ("mit", True, "Mine", INSTRUCT)


async def test_what_its_files_decide_stays(house: House) -> None:
    model = await house.create(local_folder=str(write_model(house.imports / "tiny")))
    assert model.has_chat_template
    assert violations_of(await failure(house.update(model.id, has_chat_template=False)))[0][0] == "has_chat_template"
    assert await house.update(model.id, has_chat_template=True) == model
    for fields, field in (({"display_name": "a\n"}, "display_name"), ({"credential_id": "hf_abc"}, "credential_id")):
        assert violations_of(await failure(house.update(model.id, **fields)))[0][0] == field  # type: ignore[arg-type]
    assert (await failure(house.update("nobody", license="mit"))).code() == grpc.StatusCode.NOT_FOUND


async def test_what_is_off_the_list_is_found_by_nobody_and_read_by_its_jobs(house: House) -> None:
    folder = write_model(house.imports / "tiny")
    model = await house.create(local_folder=str(folder), hub_repo="me/tiny")
    await house.delete(model.id)
    await house.delete(model.id)
    assert await house.listed() == []
    for name in (model.id, "me/tiny"):
        assert (await failure(house.get(name))).code() == grpc.StatusCode.NOT_FOUND
    request = messages.ReadBaseModelFileRequest(id=model.id, path="model.safetensors")
    chunks = [response.chunk async for response in house.stub.ReadBaseModelFile(request)]
    assert b"".join(chunks) == (folder / "model.safetensors").read_bytes()

    again = await house.create(local_folder=str(folder), hub_repo="me/tiny")
    assert again.id != model.id and (await house.get("me/tiny")).id == again.id
    await house.delete(model.id)
    assert await house.listed() == ["me/tiny"]
    assert (await failure(house.delete("nobody"))).code() == grpc.StatusCode.NOT_FOUND


async def test_a_set_of_artifacts_can_be_imported_again(house: House, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in write_model(tmp_path / "model", config=LLAMA).iterdir()}
    artifact_id = house.jobs.add_set("set", artifact_pb2.ARTIFACT_KIND_MODEL, files)
    model = await house.create(artifact_id=artifact_id)
    await house.delete(model.id)
    assert (await house.create(artifact_id=artifact_id)).id != model.id
