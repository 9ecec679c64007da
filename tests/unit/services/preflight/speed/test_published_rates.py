"""Rates that others have published, beside what the table of devices says: the magnitude has to be right.

Of these runs the model, method and card are known; how long rows were, or what else was switched on, mostly is not.
"""

import json
from typing import Any

import pytest
from tunesmith.registry.v1 import base_model_pb2

from services.preflight.devices import find
from services.preflight.estimate.throughput import estimate_throughput
from services.preflight.estimate.workload import Workload
from tests.unit.services.preflight.memory.models import base_model, configuration
from workers.estimating.profile import profile
from workers.providers.execution import plain_loop

QUERIES_AND_VALUES = {"rank": 32, "trainable_modules": "q_proj,v_proj"}
LLAMA_8B = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_act": "silu",
    "max_position_embeddings": 8192,
}


def llama_8b() -> base_model_pb2.BaseModel:
    text = json.dumps(LLAMA_8B)
    made = base_model_pb2.BaseModel(family="llama", configuration_json=text, profile=profile(text))
    shape = made.architecture
    shape.hidden_size, shape.layer_count, shape.attention_head_count, shape.key_value_head_count = 4096, 32, 32, 8
    return made


def rate(model: base_model_pb2.BaseModel, card: str, resolved: Any, longest: int, mean: float, count: int = 1) -> float:
    """Tokens a second of one card, padding left out."""
    spec = find(card)
    assert spec is not None
    workload = Workload(model, resolved, plain_loop(resolved), 1000, longest, mean, spec.device(), count)
    estimate = estimate_throughput(workload)
    assert estimate is not None
    return estimate.tokens_per_second / count


def test_peft_on_an_l40s() -> None:
    """method_comparison/MetaMathQA: Llama-3.2-3B, batch 4, 7,194 tokens a second with LoRA and 2,315 with all weights."""
    lora = configuration("LORA", "BF16", lora=QUERIES_AND_VALUES)
    assert 0.6 < rate(base_model("Llama-3.2-3B"), "L40S", lora, 450, 220.0) / 7194 < 1.5
    full = configuration("FULL", "BF16", masters=False)
    assert 0.6 < rate(base_model("Llama-3.2-3B"), "L40S", full, 450, 220.0) / 2315 < 1.5


@pytest.mark.parametrize(("method", "precision", "published"), [("LORA", "BF16", 3083), ("QLORA", "INT4", 2413)])
def test_torchtune_on_a_4090(method: str, precision: str, published: float) -> None:
    """README: 8B, packed to 2048, batch 2, compiled, which the estimate is not."""
    resolved = configuration(method, precision, "SEQUENCE_PACKING", lora={"rank": 8}, batch_size=2, sequence_length=2048)
    assert 0.5 < rate(llama_8b(), "RTX 4090", resolved, 2048, 2048.0) / published < 1.2


def test_torchtitan_on_eight_h100() -> None:
    """benchmarks/llama3_h100_202412: 8B, all weights, FSDP, 8,192 tokens, without a compiler: 5,762 tokens a second and card."""
    resolved = configuration(
        "FULL",
        "BF16",
        "SEQUENCE_PACKING",
        "GRADIENT_CHECKPOINTING",
        over={"hardware": {"strategy": "DISTRIBUTION_STRATEGY_FSDP", "num_gpus": 8}},
        batch_size=1,
        sequence_length=8192,
    )
    assert 0.7 < rate(llama_8b(), "H100", resolved, 8192, 8192.0, 8) / 5762 < 1.4
