"""The starter model: what it is to transformers, and how it gets into the registry."""

import asyncio
import hashlib
import math
import time
from pathlib import Path

import grpc
import pytest
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.ids import new_id
from starter import pico
from tests.fakes.registry import FakeRegistry
from tests.fakes.server import running

MAX_BUILD_S = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home") / "starter" / "pico"
    begin = time.monotonic()
    pico.build(made)
    assert time.monotonic() - begin < MAX_BUILD_S
    return made


@pytest.fixture(scope="module")
def loaded(folder: Path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def test_it_is_a_small_llama(loaded) -> None:
    model, tokenizer = loaded
    assert type(model).__name__ == "LlamaForCausalLM"
    assert 2_000_000 < model.num_parameters() < 3_000_000
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert len(tokenizer) == model.config.vocab_size == pico.VOCABULARY_SIZE
    assert model.config.max_position_embeddings == 2048


def test_it_knows_nothing_yet(loaded) -> None:
    import torch

    model, tokenizer = loaded
    tokens = tokenizer("Return the sum of a list of numbers, or raise ValueError if it is empty.", return_tensors="pt")
    with torch.no_grad():
        loss = model(**tokens, labels=tokens.input_ids).loss.item()
    assert loss == pytest.approx(math.log(pico.VOCABULARY_SIZE), abs=0.1)


def test_the_tokenizer_loses_nothing(loaded) -> None:
    _, tokenizer = loaded
    text = "def f(x):\n\treturn  'größe 😀'"
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_the_template_tells_which_tokens_the_assistant_said(loaded) -> None:
    _, tokenizer = loaded
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "def abs(x)"},
        {"role": "assistant", "content": "Return the absolute value."},
        {"role": "user", "content": "def len(x)"},
        {"role": "assistant", "content": "Return the length."},
    ]
    encoded = tokenizer.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
    said = [token for token, mask in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(said) == "Return the absolute value.<|im_end|>Return the length.<|im_end|>"


def test_a_prompt_ends_where_the_answer_begins(loaded) -> None:
    _, tokenizer = loaded
    chat = [{"role": "user", "content": "def abs(x)"}, {"role": "assistant", "content": "Return it."}]
    prompt = tokenizer.apply_chat_template(chat[:1], tokenize=False, add_generation_prompt=True)
    assert tokenizer.apply_chat_template(chat, tokenize=False).startswith(prompt + "Return it.<|im_end|>")
    assert tokenizer.eos_token == "<|im_end|>"


def test_the_same_python_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    # A start that was interrupted left half a model; it must not be taken for a whole one.
    unfinished = tmp_path / "pico.unfinished"
    unfinished.mkdir()
    (unfinished / "config.json").write_text("{")
    pico.build(tmp_path / "pico")
    assert len(_digests(folder)) == 5
    assert _digests(tmp_path / "pico") == _digests(folder)
    assert not unfinished.exists()


def _digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


class Registry(FakeRegistry):
    """A registry that takes models."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[messages.CreateBaseModelRequest] = []

    async def CreateBaseModel(
        self, request: messages.CreateBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> messages.CreateBaseModelResponse:
        self.requests.append(request)
        self.add_base_model(pico.HUB_REPO)
        return messages.CreateBaseModelResponse(base_model=base_model_pb2.BaseModel(id=new_id()))


async def test_it_is_registered_once(folder: Path, tmp_path: Path) -> None:
    registry, address = Registry(), f"unix:{tmp_path}/s"
    async with running([registry], address):
        assert await asyncio.to_thread(pico.register, folder, address)
        assert not await asyncio.to_thread(pico.register, folder, address)
    (request,) = registry.requests
    assert request.local_folder == str(folder)
    assert request.hub_repo == "tunesmith/pico"
    assert request.request_id == "starter-pico"
    assert request.stage == base_model_pb2.STAGE_RANDOM
