"""adapter_config.json is data: what acts is checked, what would run code is left out, what is not known is refused."""

import time
from typing import Any

import pytest
from tunesmith.registry.v1 import adapter_pb2

from services.registry.adapters.configuration import read
from services.registry.importing.refused import Refused
from tests.unit.services.registry.adapters.files import settings


def test_what_names_code_or_folders_is_left_out() -> None:
    made = read(settings(loftq_config={}, runtime_config={"ephemeral_gpu_offload": False}, revision="main"))
    assert made.type == adapter_pb2.ADAPTER_TYPE_LORA
    assert (made.rank, made.alpha, made.dropout, made.targets) == (2, 4.0, 0.05, frozenset({"q_proj", "v_proj"}))


def test_peft_s_defaults_are_filled_in() -> None:
    made = read({"peft_type": "LORA", "target_modules": ["q_proj"]})
    assert (made.rank, made.alpha, made.bias, made.task) == (8, 8.0, "none", None)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another kind": ({"peft_type": "LOHA"}, "peft_type is 'LOHA'"),
    "no kind": ({"peft_type": None}, "peft_type"),
    "a rank of nothing": ({"r": 0}, "r must be a whole number"),
    "a rank that is a text": ({"r": "8"}, "r must be a whole number"),
    "a rank that is true": ({"r": True}, "r must be a whole number"),
    "an alpha that is none": ({"lora_alpha": float("nan")}, "lora_alpha must be a number"),
    "no targets": ({"target_modules": None}, "target_modules names no layers"),
    "a target that is a path of files": ({"target_modules": ["../q"]}, "target_modules has '../q'"),
    "a pattern that runs for ever": ({"rank_pattern": {"(a+)+$": 4}}, "rank_pattern has '(a+)+$'"),
    "a pattern that is a list": ({"alpha_pattern": ["q_proj"]}, "alpha_pattern must be an object"),
    "another bias": ({"bias": "some"}, "bias must be none, all or lora_only"),
    "another task": ({"task_type": "EVERYTHING"}, "task_type must be one of"),
    "a start that changes the base": ({"init_lora_weights": "pissa_niter_4"}, "changed base weights"),
    "tokens that are trained": ({"trainable_token_indices": [1]}, "trainable_token_indices is set"),
    "parameters without a layer": ({"target_parameters": ["experts.gate"]}, "target_parameters is set"),
    "layers that are copied": ({"layer_replication": [[0, 2]]}, "layer_replication is set"),
    "what nobody knows": ({"use_magic": True}, "use_magic is set"),
    "a flag that is a text": ({"use_dora": "yes"}, "use_dora must be true or false"),
}


def test_there_are_wrong_ones() -> None:
    assert len(WRONG) == 18


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_as_it_should_be_is_refused_by_its_name(case: str) -> None:
    change, text = WRONG[case]
    with pytest.raises(Refused) as refusal:
        read(settings(**change))
    assert str(refusal.value).startswith("adapter_config.json: ") and text in str(refusal.value)


def test_patterns_are_looked_up_as_peft_does() -> None:
    made = read(
        settings(
            rank_pattern={"q_proj": 3, "layers.1.self_attn.q_proj": 5, "^model.layers.0.v_proj": 7},
            alpha_pattern={"layers.1.self_attn.q_proj": 10},
        )
    )
    # The first that matches, not the longest.
    assert made.rank_of("model.layers.1.self_attn.q_proj") == 3
    assert made.rank_of("model.layers.0.v_proj") == 7
    assert made.rank_of("deeper.model.layers.0.v_proj") == 2
    assert made.rank_of("model.layers.0.not_q_proj") == 2
    assert made.scale_of("model.layers.1.self_attn.q_proj") == 10 / 3
    assert read(settings(use_rslora=True)).scale_of("a") == 4 / 2**0.5


def test_many_patterns_cost_no_time() -> None:
    made = read(settings(rank_pattern={f"layers.{index}.q_proj": 4 for index in range(4000)}))
    begin = time.perf_counter()
    for index in range(20_000):
        made.rank_of(f"model.layers.{index}.mlp.q_proj")
    assert time.perf_counter() - begin < 5
