"""Adapters through the service's door."""

import hashlib
import json
from pathlib import Path

import grpc
import numpy as np
import pytest
from safetensors.numpy import save
from tunesmith.job.v1 import artifact_pb2, job_pb2
from tunesmith.registry.v1 import adapter_pb2
from tunesmith.registry.v1 import adapter_service_pb2 as messages

from tests.unit.services.registry.adapters.conftest import MODEL, Room
from tests.unit.services.registry.adapters.files import ALPHA, CONFIG, RANK, WEIGHTS, lora, packed, prompt, settings, tensors
from tests.unit.services.registry.conftest import failure, reason_of, violations_of
from tests.unit.services.registry.fake_jobs import JOB

README = "README.md"


async def test_an_archive_becomes_an_adapter(room: Room) -> None:
    files = {**lora(), README: b"# mine", "tokenizer.json": b"{}", "chat_template.jinja": b"x"}
    adapter = await room.upload(packed(files), display_name="Mine", description="says it is mine")
    assert (adapter.display_name, adapter.description, adapter.base_model_id) == ("Mine", "says it is mine", room.model.id)
    assert (adapter.type, adapter.status) == (adapter_pb2.ADAPTER_TYPE_LORA, adapter_pb2.ADAPTER_STATUS_READY)
    assert (adapter.rank, adapter.alpha, adapter.dropout) == (RANK, ALPHA, 0.05)
    assert list(adapter.target_modules) == ["q_proj", "v_proj"]
    assert adapter.parameter_count == sum(tensor.size for tensor in tensors().values())
    assert not adapter.HasField("lineage") and not adapter.metrics
    assert {file.path for file in adapter.files} == {CONFIG, WEIGHTS, README}
    assert adapter.size_bytes == sum(file.size_bytes for file in adapter.files)
    assert await room.content(adapter, WEIGHTS) == files[WEIGHTS]
    assert await room.content(adapter, README, offset=2) == b"mine"
    for file in adapter.files:
        body = await room.content(adapter, file.path)
        assert (len(body), hashlib.sha256(body).hexdigest()) == (file.size_bytes, file.sha256)
    assert await room.get(adapter.id) == adapter
    assert room.files() == sorted(f"{adapter.id}/{name}" for name in (CONFIG, WEIGHTS, README))


async def test_the_configuration_says_nothing_that_the_registry_did_not_decide(room: Room) -> None:
    adapter = await room.upload(packed(lora()))
    assert adapter.display_name == "tiny adapter"
    written = json.loads(await room.content(adapter, CONFIG))
    assert written["base_model_name_or_path"] == MODEL
    assert not {"auto_mapping", "megatron_core", "peft_version", "tokenizer_name_or_path"} & set(written)
    assert (written["r"], written["lora_alpha"], written["target_modules"]) == (RANK, ALPHA, ["q_proj", "v_proj"])


async def test_a_soft_prompt_is_taken_without_its_tokenizer(room: Room) -> None:
    adapter = await room.upload(packed(prompt()))
    assert (adapter.type, adapter.rank, adapter.parameter_count) == (adapter_pb2.ADAPTER_TYPE_PROMPT, 0, 32)
    written = json.loads(await room.content(adapter, CONFIG))
    assert "tokenizer_name_or_path" not in written
    assert (written["prompt_tuning_init"], written["num_virtual_tokens"], written["token_dim"]) == ("RANDOM", 4, 8)


async def test_what_p_tuning_made_is_a_soft_prompt_like_any_other(room: Room) -> None:
    network = {
        "encoder_reparameterization_type": "MLP",
        "encoder_hidden_size": 16,
        "encoder_num_layers": 2,
        "encoder_dropout": 0.0,
    }
    adapter = await room.upload(packed(prompt(peft_type="P_TUNING", **network)))
    assert (adapter.type, adapter.parameter_count) == (adapter_pb2.ADAPTER_TYPE_PROMPT, 32)
    written = json.loads(await room.content(adapter, CONFIG))
    assert written["peft_type"] == "PROMPT_TUNING"
    assert not set(network) & set(written)


async def test_a_prefix_stays_a_prefix(room: Room) -> None:
    settings = {"peft_type": "PREFIX_TUNING", "prefix_projection": True, "encoder_hidden_size": 16, "num_layers": 2}
    files = prompt(size=4, num_attention_heads=1, **settings) | {
        WEIGHTS: save({"prompt_embeddings": np.ones((4, 2 * 2 * 4), np.float32)})
    }
    adapter = await room.upload(packed(files))
    assert (adapter.type, adapter.parameter_count) == (adapter_pb2.ADAPTER_TYPE_PROMPT, 64)
    written = json.loads(await room.content(adapter, CONFIG))
    assert (written["peft_type"], written["num_layers"], written["num_attention_heads"]) == ("PREFIX_TUNING", 2, 1)
    assert not {"prefix_projection", "prompt_tuning_init", "encoder_hidden_size"} & set(written)


async def test_layers_that_a_pattern_chose_are_named(room: Room) -> None:
    configuration = settings(target_modules=r".*layers\.0.*q_proj", targets=())
    first = tensors(targets=("self_attn.q_proj",), layers=1)
    adapter = await room.upload(packed(lora(configuration=configuration, weights=first)))
    assert json.loads(await room.content(adapter, CONFIG))["target_modules"] == ["model.layers.0.self_attn.q_proj"]
    assert list(adapter.target_modules) == ["q_proj"]


async def test_magnitudes_make_it_dora(room: Room) -> None:
    beside = {
        name.replace("lora_A.weight", "lora_magnitude_vector"): np.ones(8, np.float32) for name in tensors() if "lora_A" in name
    }
    adapter = await room.upload(packed(lora(configuration=settings(use_dora=True), weights=tensors() | beside)))
    assert adapter.type == adapter_pb2.ADAPTER_TYPE_DORA


UNFIT = {
    "a rank that saves nothing": (lora(configuration=settings(rank=8), weights=tensors(rank=8)), "hidden size 8"),
    "a layer that the model lacks": (
        lora(
            configuration=settings(target_modules=["c_attn"]),
            weights={name.replace("q_proj", "c_attn"): tensor for name, tensor in tensors(targets=("self_attn.q_proj",)).items()},
        ),
        "has no c_attn",
    ),
    "factors of another model": (
        lora(
            weights={
                name: np.ones((2, 12) if "lora_A" in name else (12, 2), np.float32)
                for name in tensors()
            }
        ),
        "12 to 12",
    ),
    "a layer past the last": (lora(weights=tensors(layers=3)), "layers.2"),
    "a prefix of another depth": (
        prompt(peft_type="PREFIX_TUNING", num_layers=3) | {WEIGHTS: save({"prompt_embeddings": np.ones((4, 48), np.float32)})},
        "it stands before 3 layers, the model has 2",
    ),
    "a prefix that is none": (prompt(peft_type="PREFIX_TUNING", num_layers=2), "configuration says 4×32"),
    "a prompt of another width": (prompt(size=9), "configuration says 4×9"),
}  # fmt: skip


def test_there_are_misfits() -> None:
    assert len(UNFIT) == 7


@pytest.mark.parametrize("case", UNFIT)
async def test_what_does_not_fit_the_base_model_is_refused_by_name(room: Room, case: str) -> None:
    files, text = UNFIT[case]
    ((field, said),) = violations_of(await failure(room.upload(packed(files))))
    assert field == "data" and text in said
    assert (await room.listed(), room.files()) == ([], [])


async def test_an_upload_without_its_base_model_is_refused(room: Room) -> None:
    ((field, said),) = violations_of(await failure(room.upload(packed(lora()), base_model="")))
    assert field == "base_model" and "is required" in said
    error = await failure(room.upload(packed(lora()), base_model="nobody/nothing"))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert room.files() == []


async def test_a_repeated_upload_is_answered_with_the_first_adapter(room: Room) -> None:
    first = await room.upload(packed(lora()), request_id="one")
    assert await room.upload(packed(lora()), request_id="one") == first
    error = await failure(room.upload(packed(prompt()), request_id="one"))
    assert reason_of(error) == "REQUEST_ID_REUSED"
    assert await room.listed() == [first.id]
    assert len(room.files()) == 2


async def test_a_folder_is_taken_with_its_base_model_named(room: Room) -> None:
    folder = room.house.imports / "adapter"
    folder.mkdir()
    for name, body in {**lora(), "training_args.bin": b"\x80"}.items():
        (folder / name).write_bytes(body)
    adapter = await room.create(local_folder=str(folder), base_model=room.model.id)
    assert (adapter.display_name, adapter.base_model_id, len(adapter.files)) == ("adapter", room.model.id, 2)
    ((field, said),) = violations_of(await failure(room.create(local_folder=str(folder))))
    assert field == "base_model" and "is required" in said
    ((field, said),) = violations_of(await failure(room.create(local_folder="/etc", base_model=MODEL)))
    assert field == "local_folder" and "TUNESMITH_IMPORT_ROOTS" in said
    (folder / WEIGHTS).unlink()
    (folder / "adapter_model.bin").write_bytes(b"\x80")
    ((field, said),) = violations_of(await failure(room.create(local_folder=str(folder), base_model=MODEL)))
    assert field == "local_folder" and "adapter_model.bin is a pickle" in said
    assert await room.listed() == [adapter.id]


async def test_a_job_s_adapter_has_the_job_s_model_and_figures(room: Room) -> None:
    room.house.jobs.job = job_pb2.Job(id=JOB, display_name="poems")
    room.house.jobs.job.configuration.model.base_model = MODEL
    room.house.jobs.job.measured.last_evaluation_loss = 1.5
    room.house.jobs.job.measured.duration_seconds = 60
    files = {**lora(), "tokenizer.json": b"{}"}
    artifact_id = room.house.jobs.add_set("set", artifact_pb2.ARTIFACT_KIND_ADAPTER, files)
    adapter = await room.create(artifact_id=artifact_id)
    assert (adapter.display_name, adapter.base_model_id) == ("poems", room.model.id)
    assert dict(adapter.metrics) == {"evaluation_loss": 1.5, "duration_seconds": 60.0}
    assert (adapter.lineage.job_id, adapter.lineage.artifact_id) == (JOB, artifact_id)
    assert room.house.jobs.downloads == [CONFIG, WEIGHTS]
    assert (await room.create(artifact_id=artifact_id, request_id="again")).id == adapter.id
    ((field, said),) = violations_of(await failure(room.create(artifact_id=artifact_id, base_model=await other_model(room))))
    assert field == "base_model" and MODEL in said
    assert len(room.files()) == 2


async def test_a_checkpoint_s_figures_are_not_the_job_s(room: Room) -> None:
    room.house.jobs.job.configuration.model.base_model = MODEL
    room.house.jobs.job.measured.last_evaluation_loss = 1.5
    artifact_id = room.house.jobs.add_set("set", artifact_pb2.ARTIFACT_KIND_CHECKPOINT, lora())
    assert not (await room.create(artifact_id=artifact_id)).metrics


async def test_sets_that_are_no_adapter_are_refused(room: Room) -> None:
    for kind in (artifact_pb2.ARTIFACT_KIND_MODEL, artifact_pb2.ARTIFACT_KIND_CHECKPOINT):
        artifact_id = room.house.jobs.add_set(f"set-{kind}", kind, {"config.json": b"{}", "model.safetensors": b"x"})
        ((field, said),) = violations_of(await failure(room.create(artifact_id=artifact_id)))
        assert field == "artifact_id" and "this is no adapter" in said
    assert room.house.jobs.downloads == []


async def other_model(room: Room) -> str:
    await room.house.create(hub={"repo": "other/model"})
    return "other/model"


async def test_lists_are_filtered(room: Room) -> None:
    low, soft = await room.upload(packed(lora())), await room.upload(packed(prompt()))
    assert await room.listed() == [soft.id, low.id]
    assert await room.listed(type=adapter_pb2.ADAPTER_TYPE_LORA) == [low.id]
    assert await room.listed(status=adapter_pb2.ADAPTER_STATUS_FAILED) == []
    assert await room.listed(base_model=MODEL) == await room.listed(base_model=room.model.id) == [soft.id, low.id]
    assert await room.listed(base_model=await other_model(room)) == []
    first = await room.stub.ListAdapters(messages.ListAdaptersRequest(page_size=1))
    assert await room.listed(page_size=1, page_token=first.next_page_token) == [low.id]


async def test_what_people_say_changes_and_what_files_decide_stays(room: Room) -> None:
    adapter = await room.upload(packed(lora()), description="before")
    request = messages.UpdateAdapterRequest(id=adapter.id, display_name="new", metrics={"accuracy": 0.5}, request_id="u")
    changed = (await room.stub.UpdateAdapter(request)).adapter
    assert (changed.display_name, changed.description, dict(changed.metrics)) == ("new", "before", {"accuracy": 0.5})
    assert changed.files == adapter.files and changed.update_time.ToNanoseconds() >= adapter.update_time.ToNanoseconds()
    assert await room.get(adapter.id) == changed == (await room.stub.UpdateAdapter(request)).adapter
    missing = messages.UpdateAdapterRequest(id="nothing", display_name="new")
    assert (await failure(room.stub.UpdateAdapter(missing))).code() == grpc.StatusCode.NOT_FOUND


async def test_a_deleted_adapter_is_off_the_list_and_its_files_stay(room: Room) -> None:
    adapter = await room.upload(packed(lora()))
    for _ in range(2):
        await room.stub.DeleteAdapter(messages.DeleteAdapterRequest(id=adapter.id))
    assert await room.listed() == []
    error = await failure(room.get(adapter.id))
    assert error.code() == grpc.StatusCode.NOT_FOUND and "GET /v1/adapters lists them" in error.details()
    unknown = messages.DeleteAdapterRequest(id="nothing")
    assert (await failure(room.stub.DeleteAdapter(unknown))).code() == grpc.StatusCode.NOT_FOUND
    assert len(room.files()) == 2


async def test_files_that_are_not_listed_are_not_read(room: Room, tmp_path: Path) -> None:
    adapter = await room.upload(packed(lora()))
    for path in ("../../tunesmith.db", README):
        error = await failure(room.content(adapter, path))
        assert error.code() == grpc.StatusCode.NOT_FOUND and f"GET /v1/adapters/{adapter.id} lists" in error.details()
