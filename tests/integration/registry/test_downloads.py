"""A registry that is killed in the middle of a download goes on with what it has."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

from tests.fakes.hub import FakeHub, running_hub
from tests.integration.registry.conftest import Process
from tests.unit.services.registry.models import LLAMA_PARAMETERS, write_shards

pytestmark = pytest.mark.integration

REPO = "me/tiny"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A hub with one model; started before the process, which is told where it is."""
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        folder = write_shards(tmp_path / "model")
        hub.add(REPO, {path.name: path.read_bytes() for path in folder.iterdir()})
        yield hub


async def test_a_download_survives_a_kill(hub: FakeHub, process: Process) -> None:
    channel = await process.start()
    stub = RegistryServiceStub(channel)
    request = messages.CreateBaseModelRequest(hub=messages.HubSource(repo=REPO))
    model = (await stub.CreateBaseModel(request)).base_model
    assert model.family == "llama"

    hub.gate = threading.Semaphore(0)
    await stub.DownloadBaseModel(messages.DownloadBaseModelRequest(id=model.id))
    async with asyncio.timeout(20):
        # One half of a file at a time, until the second file of the weights has begun.
        while not hub.asked_for(SECOND):
            if hub.held:
                hub.gate.release()
            await asyncio.sleep(0.05)
    process.kill()
    await channel.close()
    hub.gate = None
    fetched_before = hub.asked_for(FIRST)

    channel = await process.start()
    stub = RegistryServiceStub(channel)
    model = (await stub.GetBaseModel(messages.GetBaseModelRequest(id=model.id))).base_model
    assert model.download.state == base_model_pb2.DOWNLOAD_STATE_FAILED and "ask for the download again" in model.download.error
    await stub.DownloadBaseModel(messages.DownloadBaseModelRequest(id=model.id))
    async with asyncio.timeout(20):
        while model.cache_status != base_model_pb2.CACHE_STATUS_CACHED:
            await asyncio.sleep(0.05)
            model = (await stub.GetBaseModel(messages.GetBaseModelRequest(id=REPO))).base_model
            assert not model.download.error
    assert model.parameter_count == LLAMA_PARAMETERS
    assert hub.asked_for(FIRST) == fetched_before
    assert {path.name for path in (process.home / "models" / model.id).iterdir()} == {file.path for file in model.files}
    await channel.close()
