"""Which optimisations act beside each other and beside which objectives; what does not is named."""

from typing import Any

import pytest
from tunesmith.config.v1 import method_pb2
from tunesmith.provider.v1.lowering_pb2 import LOWERING_ACTION_DROPPED, LOWERING_ACTION_SENT

from workers.providers.execution import plain_loop
from workers.providers.local.execution import execution
from workers.providers.local.optimizations import arguments, groups, packs
from workers.providers.local.packing import packing_refusal
from workers.providers.local.provider import LOCAL

from .conftest import Submit

PACKING, GROUPING, DYNAMIC = "SEQUENCE_PACKING", "LENGTH_GROUPING", "DYNAMIC_PADDING"
OBJECTIVES = [name.removeprefix("TRAINING_OBJECTIVE_") for name, number in method_pb2.TrainingObjective.items() if number]


def on(*features: str) -> dict[str, Any]:
    return {"optimizations": {"enabled": [f"OPTIMIZATION_FEATURE_{feature}" for feature in features]}}


def dropped(submit: Submit, over: dict[str, Any]) -> dict[str, str]:
    """Features that don't act, each with the reason."""
    submitted, resolved = submit(over)
    told = [field for field in LOCAL.lower(resolved, submitted) if field.field_path.startswith("optimizations.enabled")]
    assert len(told) == len(submitted.optimizations.enabled)
    assert {field.action for field in told} <= {LOWERING_ACTION_SENT, LOWERING_ACTION_DROPPED}
    names = [field.detail.partition(": ") for field in told if field.action == LOWERING_ACTION_DROPPED]
    return {name: reason for name, _, reason in names}


@pytest.mark.parametrize(
    ("features", "idle"),
    [
        ((DYNAMIC,), set()),
        ((GROUPING,), set()),
        ((GROUPING, DYNAMIC), set()),
        ((PACKING,), set()),
        ((PACKING, DYNAMIC), {DYNAMIC}),
        ((DYNAMIC, GROUPING, PACKING), {DYNAMIC, GROUPING}),
    ],
)
def test_packing_makes_the_other_ways_against_padding_moot(submit: Submit, features: tuple[str, ...], idle: set[str]) -> None:
    over = on(*features)
    found = dropped(submit, over)
    assert set(found) == idle
    assert all("SEQUENCE_PACKING leaves no padding" in reason for reason in found.values())
    resolved = submit(over)[1]
    assert (packs(resolved), groups(resolved)) == (PACKING in features, GROUPING in features and PACKING not in features)
    run = execution(resolved)
    assert (run.packing, run.length_grouping, run.dynamic_padding) == (packs(resolved), groups(resolved), True)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_only_single_texts_are_packed_and_grouped(submit: Submit, objective: str) -> None:
    acts = objective in ("SFT", "CONTINUED_PRETRAINING", "DISTILLATION")
    method = {"objective": f"TRAINING_OBJECTIVE_{objective}"}
    for feature in (PACKING, GROUPING):
        over = {"method": method, **on(feature)}
        found = dropped(submit, over)
        assert set(found) == (set() if acts else {feature})
        assert all(objective in reason and "use DYNAMIC_PADDING" in reason for reason in found.values())
        given = arguments(submit(over)[1])
        assert (given["packing"] or "train_sampling_strategy" in given) == acts


def test_the_objectives_are_these() -> None:
    assert len(OBJECTIVES) == 5


def test_offloading_is_told_to_estimates_and_what_needs_a_package_is_not(submit: Submit) -> None:
    resolved = submit(on("ACTIVATION_OFFLOADING", "FUSED_KERNELS", "FLASH_ATTENTION"))[1]
    ours, plain = execution(resolved), plain_loop(resolved)
    assert (ours.offloading, ours.fused_kernels, ours.attention) == (True, False, "sdpa")
    assert (plain.offloading, plain.fused_kernels, plain.attention) == (True, True, "flash")


@pytest.mark.parametrize(
    ("configuration", "word"),
    [
        ({"model_type": "llama"}, None),
        ({"model_type": "gpt2", "layer_types": None}, None),
        ({"layer_types": ["sliding_attention", "full_attention"]}, None),
        ({"attn_logit_softcapping": None}, None),
        ({"attn_logit_softcapping": 50.0}, "caps its scores"),
        ({"layer_types": ["linear_attention", "full_attention"]}, "linear_attention"),
        ({"layer_types": ["chunked_attention"]}, "chunked_attention"),
        ({"text_config": {"attn_logit_softcapping": 50.0}}, "caps its scores"),
    ],
)
def test_models_whose_layers_read_on_are_not_packed(configuration: dict[str, Any], word: str | None) -> None:
    refusal = packing_refusal(configuration)
    if word is None:
        assert refusal is None
    else:
        assert refusal is not None and word in refusal and refusal.endswith("use LENGTH_GROUPING")
