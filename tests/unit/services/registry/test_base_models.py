"""Base models through the service's door."""

import asyncio
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from safetensors.numpy import save
from tunesmith.job.v1 import artifact_pb2
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from tests.unit.services.registry.conftest import House, failure, reason_of, violations_of
from tests.unit.services.registry.models import LLAMA, LLAMA_MODULES, LLAMA_PARAMETERS, write_model, write_shards

HUB = {"repo": "Qwen/Qwen3-0.6B"}
MODEL_FILES = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]


async def content(house: House, model_id: str, path: str, offset: int = 0) -> bytes:
    request = messages.ReadBaseModelFileRequest(id=model_id, path=path, offset=offset)
    return b"".join([response.chunk async for response in house.stub.ReadBaseModelFile(request)])


async def test_a_hub_model_is_recorded_without_asking_the_hub(house: House) -> None:
    model = await house.create(hub={**HUB, "revision": "main"}, stage=base_model_pb2.STAGE_INSTRUCT)
    assert (model.hub_repo, model.revision, model.display_name) == ("Qwen/Qwen3-0.6B", "main", "Qwen3-0.6B")
    assert (model.cache_status, model.stage) == (base_model_pb2.CACHE_STATUS_NOT_CACHED, base_model_pb2.STAGE_INSTRUCT)
    assert model.trainable and not model.HasField("parameter_count") and not model.files
    assert await house.get(model.id) == await house.get("Qwen/Qwen3-0.6B") == model
    assert house.stored() == (0, 1, [])


BAD_NAMES = {
    "a path": ({"hub": {"repo": "../model"}}, "hub.repo"),
    "two dots": ({"hub": {"repo": "a/b..c"}}, "hub.repo"),
    "a dash in front": ({"hub": {"repo": "-a/b"}}, "hub.repo"),
    "no organisation": ({"hub": {"repo": "gpt2"}}, "hub.repo"),
    "a revision that is a path": ({"hub": {**HUB, "revision": "../x"}}, "hub.revision"),
    "a second name": ({"hub": HUB, "hub_repo": "other/name"}, "hub_repo"),
    "a display name with a line feed": ({"hub": HUB, "display_name": "a\n"}, "display_name"),
    "no source": ({"display_name": "a"}, ""),
    "two sources": ({"hub": HUB, "artifact_id": "a"}, ""),
}


@pytest.mark.parametrize("case", BAD_NAMES)
async def test_names_that_are_none_are_refused(house: House, case: str) -> None:
    fields, field = BAD_NAMES[case]
    assert violations_of(await failure(house.create(**fields)))[0][0] == field  # type: ignore[arg-type]
    assert house.stored() == (0, 0, [])


async def test_a_hub_name_is_registered_once(house: House) -> None:
    model = await house.create(hub=HUB)
    error = await failure(house.create(hub=HUB))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ALREADY_EXISTS, "HUB_REPO_TAKEN")
    assert model.id in error.details() and "another hub_repo" in error.details()
    folder = write_model(house.imports / "model")
    assert reason_of(await failure(house.create(local_folder=str(folder), hub_repo=HUB["repo"]))) == "HUB_REPO_TAKEN"
    assert house.stored() == (0, 1, [])


async def test_a_repeated_request_is_answered_with_the_first_model(house: House) -> None:
    folder = str(write_model(house.imports / "model"))
    models = await asyncio.gather(*(house.create(local_folder=folder, hub_repo="me/tiny", request_id="one") for _ in range(4)))
    assert len({model.id for model in models}) == 1
    assert reason_of(await failure(house.create(local_folder=folder, request_id="one"))) == "REQUEST_ID_REUSED"
    assert house.stored() == (0, 1, sorted(MODEL_FILES))


@pytest.mark.parametrize("write", [write_model, write_shards])
async def test_a_folder_is_copied_hashed_and_profiled(house: House, write: Callable[[Path], Path]) -> None:
    folder = write(house.imports / "tiny-llama")
    for stray in ("training_args.bin", "optimizer.pt", "consolidated.safetensors", "notes.txt"):
        (folder / stray).write_bytes(b"stray")
    model = await house.create(local_folder=str(folder), hub_repo="me/tiny")
    assert (model.family, model.parameter_count, list(model.linear_modules)) == ("llama", LLAMA_PARAMETERS, LLAMA_MODULES)
    assert (model.cache_status, model.stage) == (base_model_pb2.CACHE_STATUS_CACHED, base_model_pb2.STAGE_PRETRAINED)
    assert (model.display_name, model.hub_repo) == ("tiny", "me/tiny")
    taken = {file.path for file in model.files}
    assert taken == {path.name for path in folder.iterdir() if path.name not in {
        "training_args.bin", "optimizer.pt", "consolidated.safetensors", "notes.txt"
    }}  # fmt: skip
    for file in model.files:
        body = (folder / file.path).read_bytes()
        assert await content(house, model.id, file.path) == body
        assert file.size_bytes == len(body)
    assert model.size_bytes == sum(file.size_bytes for file in model.files)
    assert await content(house, model.id, "config.json", offset=10) == (folder / "config.json").read_bytes()[10:]
    assert house.stored() == (0, 1, sorted(taken))


async def test_a_folder_without_a_hub_name_is_named_after_itself(house: House) -> None:
    model = await house.create(local_folder=str(write_model(house.imports / "tiny-llama")))
    assert (model.display_name, model.hub_repo) == ("tiny-llama", "")
    assert (await house.create(local_folder=str(house.imports / "tiny-llama"))).id != model.id


def with_code(folder: Path) -> None:
    (folder / "modeling_llama.py").write_text("print('hello')")


def with_auto_map(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**LLAMA, "auto_map": {"AutoModel": "modeling.X"}}))


def with_auto_map_in_the_tokenizer(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["tokenization.X", None]}}))


def with_a_pickle_of_another_name(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps({"weights": [1.0] * 100}))


def with_pickles_alone(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def with_weights_cut_off(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1])


def with_a_link_out(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to("/etc/passwd")


def with_a_link_to_nothing(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to(folder / "nothing")


def with_links_in_a_circle(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to("special_tokens_map.json")
    (folder / "special_tokens_map.json").symlink_to("tokenizer.json")


def with_no_tensors(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(save({}))


def with_a_pipe(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer.json")


def with_a_family_that_is_a_path(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**LLAMA, "model_type": "../x"}))


FOLDERS = {
    "code": (with_code, "it holds code (modeling_llama.py)"),
    "a reference to code": (with_auto_map, "config.json has auto_map"),
    "a reference to code in the tokenizer": (with_auto_map_in_the_tokenizer, "tokenizer_config.json has auto_map"),
    "a pickle named safetensors": (with_a_pickle_of_another_name, "a pickle under another name"),
    "pickles alone": (with_pickles_alone, "save it with save_pretrained, which writes safetensors"),
    "weights that were cut off": (with_weights_cut_off, "model.safetensors is a broken safetensors file"),
    "a link out of the roots": (with_a_link_out, "tokenizer.json leads outside the folders"),
    "a link to nothing": (with_a_link_to_nothing, "tokenizer.json cannot be read"),
    "links in a circle": (with_links_in_a_circle, "tokenizer.json leads nowhere"),
    "no tensors": (with_no_tensors, "its weights hold no tensors"),
    "a pipe": (with_a_pipe, "tokenizer.json is not a plain file"),
    "no family": (with_a_family_that_is_a_path, "no model_type that names a family"),
}


@pytest.mark.parametrize("case", FOLDERS)
async def test_a_folder_that_may_harm_is_refused_and_nothing_kept(house: House, case: str) -> None:
    change, expected = FOLDERS[case]
    folder = write_model(house.imports / "model")
    change(folder)
    ((field, text),) = violations_of(await failure(house.create(local_folder=str(folder))))
    assert field == "local_folder" and expected in text
    assert house.stored() == (0, 0, [])
    assert list((house.settings.home / "models" / ".incoming").glob("*")) == []


async def test_links_inside_the_roots_are_followed(house: House) -> None:
    # The hub's cache is made of them.
    folder = write_model(house.imports / "snapshots" / "main")
    blob = house.imports / "blobs" / "1234"
    blob.parent.mkdir()
    (folder / "model.safetensors").rename(blob)
    (folder / "model.safetensors").symlink_to("../../blobs/1234")
    assert (await house.create(local_folder=str(folder))).parameter_count == LLAMA_PARAMETERS


async def test_only_folders_below_the_roots_are_read(house: House, tmp_path: Path) -> None:
    outside = write_model(tmp_path / "model")
    (house.imports / "link").symlink_to(outside)
    for path in (outside, house.imports / "link", house.imports / ".." / ".." / "etc", Path("/")):
        ((field, text),) = violations_of(await failure(house.create(local_folder=str(path))))
        assert field == "local_folder" and "TUNESMITH_IMPORT_ROOTS" in text and str(house.imports) in text
    for path in ("imports/model", "~/model", "model\0"):
        assert "must be an absolute path" in violations_of(await failure(house.create(local_folder=path)))[0][1]
    endless = str(house.imports / ("a" * 300) / "b")
    assert violations_of(await failure(house.create(local_folder=endless)))[0][0] == "local_folder"
    missing = violations_of(await failure(house.create(local_folder=str(house.imports / "missing"))))
    assert "the folder cannot be read (No such file or directory)" in missing[0][1]
    inside = write_model(house.settings.home / "starter")
    assert (await house.create(local_folder=str(inside))).family == "llama"


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


async def test_what_a_job_trained_is_imported_once(house: House, tmp_path: Path) -> None:
    files = files_of(write_model(tmp_path / "model")) | {"optimizer.pt": b"state", "trainer_state.json": b"{}"}
    artifact_id = house.jobs.add_set("set", artifact_pb2.ARTIFACT_KIND_CHECKPOINT, files)
    model = await house.create(artifact_id=artifact_id, stage=base_model_pb2.STAGE_INSTRUCT)
    assert (model.family, model.parameter_count) == ("llama", LLAMA_PARAMETERS)
    assert (model.lineage.job_id, model.lineage.artifact_id) == ("job", artifact_id)
    assert model.display_name == "checkpoint-40 of job job"
    assert house.jobs.downloads == MODEL_FILES
    assert await content(house, model.id, "model.safetensors") == files["model.safetensors"]

    other_file = next(iter(house.jobs.sets))
    assert await house.create(artifact_id=other_file, display_name="again", request_id="two") == model
    assert await house.create(artifact_id=other_file, display_name="again", request_id="two") == model
    assert house.jobs.downloads == MODEL_FILES
    assert house.stored() == (0, 1, sorted(MODEL_FILES))


async def test_a_set_imported_by_many_at_once_makes_one_model(house: House, tmp_path: Path) -> None:
    artifact_id = house.jobs.add_set("set", artifact_pb2.ARTIFACT_KIND_MODEL, files_of(write_model(tmp_path / "model")))
    models = await asyncio.gather(*(house.create(artifact_id=artifact_id, hub_repo="me/tuned") for _ in range(4)))
    assert len({model.id for model in models}) == 1
    assert (await house.get("me/tuned")).id == models[0].id
    assert house.stored() == (0, 1, sorted(MODEL_FILES))


async def test_sets_that_are_no_model_are_refused(house: House, tmp_path: Path) -> None:
    adapter = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"}
    for kind in (artifact_pb2.ARTIFACT_KIND_ADAPTER, artifact_pb2.ARTIFACT_KIND_CHECKPOINT):
        artifact_id = house.jobs.add_set(f"adapter-{kind}", kind, adapter)
        ((field, text),) = violations_of(await failure(house.create(artifact_id=artifact_id)))
        assert field == "artifact_id" and "this is an adapter" in text and "merge_and_unload" in text
    assert house.jobs.downloads == []
    missing = await failure(house.create(artifact_id="nothing"))
    assert missing.code() == grpc.StatusCode.NOT_FOUND and "artifacts lists a job's" in missing.details()
    assert house.stored() == (0, 0, [])


@pytest.mark.parametrize("change", ["longer", "shorter", "other"])
async def test_bytes_that_are_not_those_of_the_job_are_refused(house: House, tmp_path: Path, change: str) -> None:
    artifact_id = house.jobs.add_set("set", artifact_pb2.ARTIFACT_KIND_MODEL, files_of(write_model(tmp_path / "model")))
    (weights,) = (key for key in house.jobs.content if key.endswith("model.safetensors"))
    body = house.jobs.content[weights]
    house.jobs.content[weights] = {"longer": body + b"x" * 9999, "shorter": body[:-1], "other": body[:-1] + b"x"}[change]
    assert reason_of(await failure(house.create(artifact_id=artifact_id))) == "ARTIFACT_DAMAGED"
    assert house.stored() == (0, 0, [])


async def test_files_that_are_not_listed_are_not_read(house: House) -> None:
    model = await house.create(local_folder=str(write_model(house.imports / "model")))
    hub = await house.create(hub=HUB)
    for model_id, path in ((model.id, "../../tunesmith.db"), (model.id, "README.md"), (hub.id, "config.json")):
        error = await failure(content(house, model_id, path))
        assert error.code() == grpc.StatusCode.NOT_FOUND and f"GET /v1/base-models/{model_id} lists" in error.details()
    unknown = await failure(house.get("nobody/nothing"))
    assert unknown.code() == grpc.StatusCode.NOT_FOUND and "GET /v1/base-models lists them" in unknown.details()


async def test_lists_are_paged_newest_first(house: House) -> None:
    ids = [(await house.create(hub={"repo": f"me/model-{index}"})).id for index in range(5)]
    first = await house.stub.ListBaseModels(messages.ListBaseModelsRequest(page_size=3))
    rest = messages.ListBaseModelsRequest(page_size=3, page_token=first.next_page_token)
    second = await house.stub.ListBaseModels(rest)
    assert [model.id for model in (*first.base_models, *second.base_models)] == ids[::-1]
    assert (len(first.base_models), second.next_page_token) == (3, "")


async def test_a_page_ends_before_it_is_too_large_for_a_message(house: House) -> None:
    folder = write_model(house.imports / "model", tokenizer={"chat_template": "😀" * 200_000})
    ids = [(await house.create(local_folder=str(folder))).id for _ in range(12)]
    first = await house.stub.ListBaseModels(messages.ListBaseModelsRequest(page_size=200))
    assert 1 < len(first.base_models) < 12 and first.ByteSize() < 10_000_000
    rest = messages.ListBaseModelsRequest(page_size=200, page_token=first.next_page_token)
    second = await house.stub.ListBaseModels(rest)
    assert [model.id for model in (*first.base_models, *second.base_models)] == ids[::-1]
    assert second.next_page_token == ""
