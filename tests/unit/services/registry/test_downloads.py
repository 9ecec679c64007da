"""Hub models are downloaded: whole or not at all, with progress, and not twice."""

import asyncio
import hashlib
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.registry.service import build
from tests.fakes.hub import COMMIT, FakeHub, Fault
from tests.fakes.inquiries import with_profile
from tests.fakes.server import running
from tests.unit.services.registry.conftest import House, RegistryServiceStub, failure
from tests.unit.services.registry.models import LLAMA_MODULES, LLAMA_PARAMETERS, llama_tensors, write_model, write_shards

REPO = "me/tiny"
SHARD = "model-00002-of-00002.safetensors"


@pytest.fixture
def shards(tmp_path: Path) -> dict[str, bytes]:
    folder = write_shards(tmp_path / "model")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


async def read(house: House, model_id: str, path: str) -> bytes:
    request = messages.ReadBaseModelFileRequest(id=model_id, path=path)
    return b"".join([response.chunk async for response in house.stub.ReadBaseModelFile(request)])


async def fetch(house: House, model_id: str) -> base_model_pb2.BaseModel:
    await house.download(model_id)
    return await house.downloaded(model_id)


def left_over(house: House) -> list[Path]:
    return [path for name in (".unfinished", ".incoming") for path in (house.settings.home / "models" / name).rglob("*")]


async def test_a_model_is_fetched_checked_and_cached(hub: FakeHub, house: House, shards: dict[str, bytes]) -> None:
    hub.add(REPO, {**shards, "pytorch_model.bin": b"x" * 999, "consolidated.safetensors": b"y" * 999})
    registered = await house.create(hub={"repo": REPO}, license="mit", display_name="Tiny")
    started = await house.download(registered.id)
    assert started.cache_status == base_model_pb2.CACHE_STATUS_DOWNLOADING
    assert started.download.state == base_model_pb2.DOWNLOAD_STATE_RUNNING
    assert started.download.total_bytes == sum(map(len, shards.values())) and started.download.HasField("start_time")

    model = await house.downloaded(registered.id)
    assert model.cache_status == base_model_pb2.CACHE_STATUS_CACHED and not model.HasField("download")
    assert (model.parameter_count, list(model.linear_modules), model.dtype) == (LLAMA_PARAMETERS, LLAMA_MODULES, "F32")
    assert (model.license, model.display_name, model.revision) == ("mit", "Tiny", COMMIT)
    assert {file.path: file.sha256 for file in model.files} == {
        name: hashlib.sha256(content).hexdigest() for name, content in shards.items()
    }
    assert (model.size_bytes, model.download_bytes) == (sum(map(len, shards.values())), 0)
    assert model.estimated_download_seconds == 0
    for name, content in shards.items():
        assert await read(house, model.id, name) == content
    assert left_over(house) == [house.settings.home / "models" / ".unfinished"] or left_over(house) == []
    assert hub.asked_for("pytorch_model.bin") == hub.asked_for("consolidated.safetensors") == 0

    asked = len(hub.requests)
    again = await house.download(model.id)
    assert again == await house.get(model.id) and len(hub.requests) == asked


async def test_progress_is_told_and_asking_twice_changes_nothing(hub: FakeHub, house: House, shards: dict[str, bytes]) -> None:
    hub.add(REPO, shards)
    model = await house.create(hub={"repo": REPO})
    hub.gate = threading.Semaphore(0)
    total = sum(map(len, shards.values()))
    await house.download(model.id)
    seen: list[int] = []
    while (now := await house.get(model.id)).cache_status == base_model_pb2.CACHE_STATUS_DOWNLOADING:
        assert (await house.download(model.id)).cache_status != base_model_pb2.CACHE_STATUS_NOT_CACHED
        assert now.download.total_bytes == total and 0 <= now.download.done_bytes <= total
        if not seen or now.download.done_bytes > seen[-1]:
            seen.append(now.download.done_bytes)
        if now.download.done_bytes and now.download.HasField("remaining_seconds"):
            hub.gate.release()
            # The rest is let through one after another.
            await asyncio.sleep(0.01)
        else:
            await asyncio.sleep(0.1)
    assert now.cache_status == base_model_pb2.CACHE_STATUS_CACHED
    assert len(seen) >= 3 and seen == sorted(seen)
    assert hub.asked_for("/config.json") == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.UNAVAILABLE, Fault.TRUNCATED, Fault.OTHER_BYTES])
async def test_a_file_that_did_not_come_whole_is_asked_for_again(
    hub: FakeHub, house: House, shards: dict[str, bytes], fault: Fault
) -> None:
    hub.add(REPO, shards)
    hub.faults[SHARD] = [fault]
    model = await fetch(house, (await house.create(hub={"repo": REPO})).id)
    assert model.cache_status == base_model_pb2.CACHE_STATUS_CACHED, model.download.error
    assert await read(house, model.id, SHARD) == shards[SHARD]
    assert hub.asked_for(SHARD) == 2 and hub.faults[SHARD] == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.HANG, "did not answer within 0.5 s"),
        (Fault.UNAVAILABLE, "answered with status 503"),
    ],
)
async def test_what_failed_is_asked_for_again_and_what_is_complete_is_not(
    hub: FakeHub, house: House, shards: dict[str, bytes], fault: Fault, expected: str
) -> None:
    hub.add(REPO, shards)
    hub.faults[SHARD] = [fault] * 3
    model = await fetch(house, (await house.create(hub={"repo": REPO})).id)
    assert (model.cache_status, model.download.state) == (
        base_model_pb2.CACHE_STATUS_NOT_CACHED,
        base_model_pb2.DOWNLOAD_STATE_FAILED,
    )
    assert expected in model.download.error and "ask for the download again" in model.download.error
    assert 0 < model.download.done_bytes == sum(len(content) for name, content in shards.items() if name != SHARD)
    before = len(hub.requests)
    model = await fetch(house, model.id)
    assert model.cache_status == base_model_pb2.CACHE_STATUS_CACHED and not model.HasField("download")
    # The repository's description, and the one file that was missing, which is redirected.
    assert len(hub.requests) - before == 3 and hub.asked_for("tokenizer.json") == 1


async def test_the_files_of_another_commit_are_all_fetched(hub: FakeHub, house: House, shards: dict[str, bytes]) -> None:
    repository = hub.add(REPO, shards)
    hub.faults[SHARD] = [Fault.UNAVAILABLE] * 3
    model = await fetch(house, (await house.create(hub={"repo": REPO})).id)
    repository.commit = "ffff" + COMMIT[4:]
    model = await fetch(house, model.id)
    assert (model.cache_status, model.revision) == (base_model_pb2.CACHE_STATUS_CACHED, repository.commit)
    assert hub.asked_for("tokenizer.json") == 2
    assert [path for path in left_over(house) if path.is_file()] == []


async def test_files_that_may_harm_are_not_kept(hub: FakeHub, house: House, shards: dict[str, bytes]) -> None:
    repository = hub.add(REPO, shards)
    model = await house.create(hub={"repo": REPO})
    repository.files = {**shards, SHARD: b"\x80\x04" + b"a pickle" * 100}
    failed = await fetch(house, model.id)
    assert failed.download.state == base_model_pb2.DOWNLOAD_STATE_FAILED
    assert "is a pickle under another name" in failed.download.error
    repository.files = {**shards, "modeling.py": b""}
    assert "it holds code (modeling.py)" in (await fetch(house, model.id)).download.error
    assert [path for path in left_over(house) if path.is_file()] == []
    assert house.stored() == (0, 1, [])


async def test_a_repository_that_went_or_closed_is_said(hub: FakeHub, house: House, shards: dict[str, bytes]) -> None:
    repository = hub.add(REPO, shards)
    model = await house.create(hub={"repo": REPO})
    repository.gated = True
    assert "accept its terms" in (await fetch(house, model.id)).download.error
    del hub.repositories[REPO]
    assert "has no model me/tiny" in (await fetch(house, model.id)).download.error


async def test_a_model_whose_hub_was_away_is_known_after_its_download(
    hub: FakeHub, house: House, shards: dict[str, bytes]
) -> None:
    hub.add(REPO, shards)
    hub.faults["/me/tiny"] = [Fault.UNAVAILABLE]
    model = await house.create(hub={"repo": REPO})
    assert model.profile_error and not model.family
    house.inquiries.answer = with_profile(LLAMA_PARAMETERS)
    model = await fetch(house, model.id)
    assert (model.family, model.has_chat_template) == ("llama", True)
    assert (await house.profiled(model.id)).profile_status == base_model_pb2.PROFILE_STATUS_READY


async def test_the_next_download_is_estimated_by_the_last(hub: FakeHub, house: House, tmp_path: Path) -> None:
    large = {**llama_tensors(), "model.embed_tokens.weight": np.ones((32, 8 * 10_000), np.float32)}
    files = {path.name: path.read_bytes() for path in write_model(tmp_path / "m", tensors=large).iterdir()}
    assert len(files["model.safetensors"]) > 8 * 2**20
    hub.add(REPO, files)
    hub.add("me/other", files)
    model, other = await house.create(hub={"repo": REPO}), await house.create(hub={"repo": "me/other"})
    assert other.estimated_download_seconds == pytest.approx(other.download_bytes / 25e6)
    assert (await fetch(house, model.id)).cache_status == base_model_pb2.CACHE_STATUS_CACHED
    measured = (await house.get("me/other")).estimated_download_seconds
    assert 0 < measured != pytest.approx(other.download_bytes / 25e6)


async def test_a_download_that_an_end_interrupted_is_marked_and_taken_up(
    hub: FakeHub, house: House, home: Path, shards: dict[str, bytes]
) -> None:
    hub.add(REPO, shards)
    model = await house.create(hub={"repo": REPO})
    async with running(await build(house.settings), f"unix:{home}/second") as channel:
        second = House(RegistryServiceStub(channel), house.jobs, house.inquiries, house.settings, house.imports)
        hub.gate = threading.Semaphore(0)
        await second.download(model.id)
        async with asyncio.timeout(10):
            while not hub.asked_for("model-00001-of-00002.safetensors"):
                if hub.held:
                    hub.gate.release()
                await asyncio.sleep(0.02)
    hub.gate = None
    async with running(await build(house.settings), f"unix:{home}/third") as channel:
        third = House(RegistryServiceStub(channel), house.jobs, house.inquiries, house.settings, house.imports)
        marked = await third.get(model.id)
        assert marked.download.state == base_model_pb2.DOWNLOAD_STATE_FAILED
        assert "the registry ended meanwhile; ask for the download again" in marked.download.error
        assert (await fetch(third, model.id)).cache_status == base_model_pb2.CACHE_STATUS_CACHED
        assert hub.asked_for("tokenizer_config.json") == 2, "once when it was registered, once when it was downloaded"


async def test_a_folder_recorded_just_before_a_crash_is_put_in_its_place(
    hub: FakeHub, house: House, home: Path, shards: dict[str, bytes]
) -> None:
    hub.add(REPO, shards)
    model = await fetch(house, (await house.create(hub={"repo": REPO})).id)
    models = house.settings.home / "models"
    (models / model.id).rename(models / ".unfinished" / f"{model.id}@{COMMIT}")
    (models / ".unfinished" / "nobody@main").mkdir()
    async with running(await build(house.settings), f"unix:{home}/second") as channel:
        second = House(RegistryServiceStub(channel), house.jobs, house.inquiries, house.settings, house.imports)
        assert await read(second, model.id, SHARD) == shards[SHARD]
    assert list((models / ".unfinished").iterdir()) == []


async def test_a_model_that_is_taken_off_the_list_is_not_fetched_on(hub: FakeHub, house: House, shards: dict[str, bytes]) -> None:
    hub.add(REPO, shards)
    model = await house.create(hub={"repo": REPO})
    hub.gate = threading.Semaphore(0)
    await house.download(model.id)
    async with asyncio.timeout(10):
        while not hub.asked_for("tokenizer.json"):
            hub.gate.release()
            await asyncio.sleep(0.02)
    await house.delete(model.id)
    assert [path for path in left_over(house) if path.is_file()] == []
    for call in (house.get(model.id), house.download(model.id), house.update(model.id, license="mit")):
        assert (await failure(call)).code() == grpc.StatusCode.NOT_FOUND


async def test_an_imported_model_has_nothing_to_download(house: House, tmp_path: Path) -> None:
    model = await house.create(local_folder=str(write_model(house.imports / "tiny")))
    assert model.download_bytes == 0 and model.estimated_download_seconds == 0
    assert await house.download(model.id) == model
