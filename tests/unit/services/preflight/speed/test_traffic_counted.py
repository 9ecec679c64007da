"""The bytes that layers move, beside what a dispatcher counts while the model's own code runs."""

import contextlib
import json
import math
from typing import Any

import pytest
import torch
from google.protobuf.json_format import ParseDict
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1 import base_model_pb2

from services.chassis.knobs import resolve_defaults
from services.preflight.estimate.batch import batch_of
from services.preflight.estimate.operations import Operations
from services.preflight.estimate.traffic import add_traffic
from services.preflight.estimate.workload import Workload
from tests.unit.services.preflight.speed.runs import measured
from workers.estimating.profile import profile
from workers.providers.local.execution import execution

ROWS, SHORT, LONG = 2, 32, 64
PRODUCTS = {"mm", "addmm", "bmm", "baddbmm"}
VIEWS = {
    *("view", "t", "transpose", "expand", "slice", "unsqueeze", "squeeze", "permute", "as_strided", "detach", "alias"),
    *("_unsafe_view", "select", "split", "reshape", "empty", "empty_strided", "empty_like", "new_empty", "_local_scalar_dense"),
    *("lift_fresh", "is_same_size", "new_empty_strided", "split_with_sizes"),
}
_GATED = {"num_key_value_heads": 2, "intermediate_size": 320, "hidden_size": 128, "num_attention_heads": 4, "head_dim": 32}
SHAPES: dict[str, dict[str, Any]] = {
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **_GATED},
    "qwen3": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", **_GATED},
    "gpt2": {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_embd": 128,
        "n_head": 4,
        **dict.fromkeys(("attn_pdrop", "resid_pdrop", "embd_pdrop"), 0.0),
    },
}


class Counting(TorchDispatchMode):
    """Bytes that operations other than products and attention read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name not in VIEWS | PRODUCTS and "attention" not in name:
            read = [one for one in tree_leaves((args, kwargs or {})) if isinstance(one, torch.Tensor)]
            written = [one for one in tree_leaves(out) if isinstance(one, torch.Tensor) and all(one is not each for each in read)]
            self.bytes += sum(one.numel() * one.element_size() for one in (*read, *written))
        return out


def settings_of(family: str, layers: int) -> dict[str, Any]:
    name = "n_layer" if family == "gpt2" else "num_hidden_layers"
    return {**SHAPES[family], name: layers, "vocab_size": 64, "tie_word_embeddings": True}


def counted(family: str, method: str, precision: str, layers: int, tokens: int) -> int:
    settings = {key: value for key, value in settings_of(family, layers).items() if key not in ("architectures", "model_type")}
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**settings), dtype=torch.float32)
    if method == "LORA":
        model = get_peft_model(
            model.bfloat16() if precision == "BF16" else model,
            LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
    model.train()
    backbone = (model.get_base_model() if method == "LORA" else model).base_model
    autocast = torch.autocast("cpu", torch.bfloat16) if precision == "BF16" else contextlib.nullcontext()
    mask = torch.ones(ROWS, tokens, dtype=torch.long)
    with Counting() as counting:
        with autocast:
            out = backbone(input_ids=mask, attention_mask=mask, use_cache=False).last_hidden_state
        out.backward(torch.ones_like(out))
    return counting.bytes


def estimated(family: str, method: str, precision: str, layers: int, tokens: int) -> float:
    settings = settings_of(family, layers)
    text = json.dumps(settings)
    model = base_model_pb2.BaseModel(family=family, configuration_json=text, profile=profile(text))
    model.modality = base_model_pb2.MODALITY_TEXT
    shape = model.architecture
    shape.hidden_size, shape.layer_count, shape.attention_head_count = 128, layers, 4
    shape.intermediate_size = 512 if family == "gpt2" else 320
    made: dict[str, Any] = {
        "model": {"base_model": "m", "precision": f"MODEL_PRECISION_{precision}"},
        "method": {"type": f"TRAINING_METHOD_{method}"},
        "schedule": {"batch_size": ROWS, "sequence_length": 512},
        "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]},
    }
    if method == "LORA":
        made["method"]["lora_config"] = {"rank": 8}
    configuration = ParseDict(made, JobConfiguration())
    resolve_defaults(configuration)
    workload = Workload(model, configuration, execution(configuration), 8, tokens, float(tokens), measured())
    operations = Operations()
    add_traffic(workload, batch_of(workload), operations)
    return math.fsum(movement.total_bytes for movement in operations.movements)


@pytest.mark.parametrize("precision", ["FP32", "BF16"])
@pytest.mark.parametrize("method", ["FULL", "LORA"])
@pytest.mark.parametrize("family", SHAPES)
def test_a_layer_moves_what_the_formulas_say(family: str, method: str, precision: str) -> None:
    def of_a_token(count: Any) -> float:
        """Of one layer and one token: what is before, behind and of weights alone drops out."""

        def layer(tokens: int) -> float:
            return float(count(family, method, precision, 2, tokens) - count(family, method, precision, 1, tokens))

        return (layer(LONG) - layer(SHORT)) / (ROWS * (LONG - SHORT))

    assert of_a_token(estimated) == pytest.approx(of_a_token(counted), rel=0.03)
