"""The catalogue is registered, once, and what people changed stays."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tunesmith.client.asynchronous import AsyncTunesmith
from tunesmith.client.blocking import Tunesmith
from tunesmith.registry.v1 import base_model_pb2

from services.chassis.settings import Settings
from services.registry.service import build
from starter.catalog.adapters import SAMPLES
from starter.catalog.base_models import entries
from starter.catalog.recipes import contents
from starter.seed import Line, seed
from supervisor.probes import free_port
from tests.fakes.inquiries import FakeInquiries
from tests.fakes.server import running

MODELS = 34
QWEN_7B = "Qwen/Qwen-7B-Chat"
NAMED_FIRST = (
    "meta-llama/Llama-2-7b-hf",
    "meta-llama/Llama-2-13b-hf",
    "meta-llama/Llama-2-70b-hf",
    "mistralai/Mistral-7B-v0.1",
    QWEN_7B,
    "google/vit-base-patch16-224",
)


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """Where a registry listens that knows nothing yet."""
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        home = Path(folder)
        settings = Settings(home=home / "home", job_address=f"unix:{home}/jobs")
        settings.home.mkdir()
        address = f"127.0.0.1:{free_port('127.0.0.1')}"
        async with running([FakeInquiries()], settings.job_address or ""), running(await build(settings), address):
            yield address


async def run(address: str) -> list[Line]:
    def work() -> list[Line]:
        with Tunesmith(address) as client:
            return seed(client)

    return await asyncio.to_thread(work)


def test_the_catalogue_has_what_was_promised() -> None:
    models = entries()
    names = [entry["repo"] for entry in models]
    assert len(names) == len(set(names)) == MODELS
    assert set(NAMED_FIRST) <= set(names)
    families = {entry["configuration"]["model_type"] for entry in models}
    assert families == {
        "llama", "mistral", "qwen", "qwen2", "qwen3", "gemma3", "gemma3_text", "phi", "phi3", "smollm3", "gpt2", "vit",
    }  # fmt: skip
    assert len(contents()) >= 5 and len(SAMPLES) == 2


async def test_everything_is_registered_once(address: str) -> None:
    lines = await run(address)
    assert {line.outcome for line in lines} == {"registered"}
    assert len(lines) == MODELS + len(contents()) + len(SAMPLES)
    async with AsyncTunesmith(address) as client:
        models = (await client.registry.list_base_models(page_size=200)).base_models
        assert [model.hub_repo for model in models] == [entry["repo"] for entry in entries()]
        by_name = {model.hub_repo: model for model in models}
        for entry in entries():
            model = by_name[entry["repo"]]
            assert base_model_pb2.Modality.Name(model.modality) == entry["modality"], entry["repo"]
            assert base_model_pb2.Stage.Name(model.stage) == entry["stage"]
            assert (model.license, model.private, model.has_chat_template) == (
                entry["license"],
                entry["private"],
                entry["has_chat_template"],
            )
            assert model.download_bytes == entry["download_bytes"] and model.estimated_download_seconds > 0
            assert model.cache_status == base_model_pb2.CACHE_STATUS_NOT_CACHED and model.configuration_json
        untrainable = [model for model in models if not model.trainable]
        assert [model.hub_repo for model in untrainable] == [QWEN_7B]
        assert untrainable[0].lifecycle == base_model_pb2.LIFECYCLE_STAGING and "code of its own" in untrainable[0].profile_error
        assert [model.hub_repo for model in models if model.lifecycle != base_model_pb2.LIFECYCLE_PRODUCTION] == [QWEN_7B]

        changed = by_name["openai-community/gpt2"]
        await client.registry.update_base_model(id=changed.id, display_name="Mine")
        await client.registry.delete_base_model(id=by_name[QWEN_7B].id)
        again = await run(address)
        assert {line.outcome for line in again} == {"was there before"} and len(again) == len(lines)
        models = (await client.registry.list_base_models(page_size=200)).base_models
        assert len(models) == MODELS - 1
        assert next(model for model in models if model.id == changed.id).display_name == "Mine"
