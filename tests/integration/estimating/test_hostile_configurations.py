"""A configuration costs no more than it is worth, whatever it says, and runs no code."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from workers.estimating.profile import profile
from workers.estimating.refused import Refused

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
MAX_SECONDS = 3.0
MAX_GROWTH_BYTES = 400 * 1024**2
HUGE = 10**9
# What is sent, and what the refusal has to say.
HOSTILE: dict[str, tuple[str, str]] = {
    "layers": (json.dumps({"model_type": "llama", "num_hidden_layers": HUGE}), "num_hidden_layers"),
    "layers by another name": (json.dumps({"model_type": "gpt2", "n_layer": HUGE}), "n_layer"),
    "layers below": (json.dumps({"model_type": "gemma3", "text_config": {"num_hidden_layers": HUGE}}), "text_config.num_hidden"),
    "layers of a list": (json.dumps({"model_type": "swin", "depths": [2, HUGE]}), "depths[1]"),
    "vocabulary": (json.dumps({"model_type": "llama", "vocab_size": 10**12}), "vocab_size"),
    "labels": (json.dumps({"model_type": "vit", "num_labels": HUGE}), "num_labels"),
    "positions": (json.dumps({"model_type": "gpt2", "n_positions": HUGE}), "n_positions"),
    "experts": (json.dumps({"model_type": "mixtral", "num_local_experts": 10**6}), "parameters"),
    "a product of sizes": (json.dumps({"model_type": "llama", "hidden_size": 2**30, "intermediate_size": 2**30}), "config.json"),
    "negative": (json.dumps({"model_type": "gpt2", "n_embd": -4}), "can't build it"),
    "no number": (json.dumps({"model_type": "gpt2", "n_embd": "wide"}), "n_embd"),
    "own code": (json.dumps({"model_type": "llama", "auto_map": {"AutoModel": "evil.Evil"}}), "never run"),
    "unknown family": (json.dumps({"model_type": "os.system"}), "is no family"),
    "no family": ("{}", "is no family"),
    "translates": (json.dumps({"model_type": "fsmt"}), "choose another model"),
    "no object": ("[]", "no JSON object"),
    "no JSON": ("{", "no JSON"),
    "nested": ('{"model_type": "llama", "a": ' + "[" * 50 + "]" * 50 + "}", "nested"),
    "nested to death": ("[" * 100_000, "no JSON"),
    "long": (json.dumps({"model_type": "llama", "a": "a" * 300_000}), "KiB"),
}


def test_there_are_cases() -> None:
    assert len(HOSTILE) == 20


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_soon_with_what_to_do(name: str) -> None:
    text, says = HOSTILE[name]
    _warm()
    before, began = psutil.Process().memory_info().rss, time.process_time()
    with pytest.raises(Refused) as refused:
        profile(text)
    assert time.process_time() - began < MAX_SECONDS
    assert psutil.Process().memory_info().rss - before < MAX_GROWTH_BYTES
    assert says in refused.value.message
    assert refused.value.violations[0][0] == "configuration_json"


@pytest.mark.parametrize("extra", [{"num_hidden_layers": 2000}, {"vocab_size": 2**31 - 1}, {"max_position_embeddings": 2**24}])
def test_what_is_at_a_limit_is_counted(extra: dict[str, Any]) -> None:
    began = time.process_time()
    assert profile(json.dumps({"model_type": "llama", **extra})).parameter_count > 10**9
    assert time.process_time() - began < 10


def test_numbers_that_are_no_sizes_may_be_large() -> None:
    values = {"model_type": "llama", "rope_parameters": {"rope_type": "default", "rope_theta": 1e12}, "custom": "text"}
    assert profile(json.dumps(values)).model_class == "LlamaForCausalLM"


def test_an_estimator_gets_no_more_memory_than_an_answer_is_worth() -> None:
    """In a process of its own, which can't be given back what it gives up."""
    program = """
from workers.estimating.actor import EstimatorActor
from tunesmith.worker.v1 import inquiry_pb2

actor = EstimatorActor("INFO")
asked = inquiry_pb2.Inquiry(id="1", profile=inquiry_pb2.ProfileQuestion(configuration_json='{"model_type": "gpt2"}'))
answer = inquiry_pb2.InquiryAnswer.FromString(actor.answer(asked.SerializeToString()))
assert (answer.inquiry_id, answer.profile.parameter_count) == ("1", 124439808)
try:
    bytearray(2 * 1024**3)
except MemoryError:
    print("bounded")
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.stdout.splitlines()[-1:] == ["bounded"], run.stderr


def _warm() -> None:
    profile(json.dumps({"model_type": "llama", "num_hidden_layers": 1}))
