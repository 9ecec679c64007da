"""Targets against the model's own modules, rank against its width, alpha against its rank."""

import pytest
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, SEVERITY_NOTE, SEVERITY_WARNING
from tunesmith.registry.v1.base_model_pb2 import BaseModel

from services.preflight import families
from tests.unit.services.preflight.known import GPT_2, LLAMA_2_7B, PICO, changed, codes, configuration, report, the

PATH = "method.lora_config.trainable_modules"


def lora(**settings: object) -> object:
    return configuration(method={"type": "TRAINING_METHOD_LORA", "lora_config": settings})


FINE = ["all-linear", "c_attn", "c_attn, c_proj", "attn.c_proj", "transformer.h.3.attn.c_attn", "h.0.mlp.c_fc,c_proj"]


@pytest.mark.parametrize("names", FINE)
def test_targets_match_as_peft_matches(names: str) -> None:
    assert [code for code in codes(report(lora(trainable_modules=names), GPT_2)) if code.startswith("LORA_TARGET")] == []


def test_targets_that_are_not_there() -> None:
    found = the(report(lora(trainable_modules="q_proj,attn.c_attn,v_proj"), GPT_2), "LORA_TARGET_NOT_FOUND")
    assert "GPT-2 has no q_proj, v_proj; it has c_attn, c_fc, c_proj" in found.message
    assert (found.severity, found.field_path, found.fix.label) == (SEVERITY_ERROR, PATH, "Set targets to c_attn, c_proj")


def test_a_part_of_a_name_is_no_name() -> None:
    assert the(report(lora(trainable_modules="attn"), GPT_2), "LORA_TARGET_NOT_FOUND")


def test_a_norm_gets_no_adapter() -> None:
    assert the(report(lora(trainable_modules="c_attn,ln_1"), GPT_2), "LORA_TARGET_NOT_ADAPTABLE")


def test_the_output_layer_is_warned_of_and_the_others_stay() -> None:
    found = the(report(lora(trainable_modules="c_fc,lm_head"), GPT_2), "LORA_TARGET_IS_OUTPUT_LAYER")
    assert found.severity == SEVERITY_WARNING
    assert found.fix.edits[0].value.string_value == "c_fc"


FAMILIES = {
    "gpt2": "c_attn,c_proj",
    "llama": "q_proj,v_proj,k_proj,o_proj,gate_proj,up_proj,down_proj",
    "mistral": "q_proj,v_proj,k_proj,o_proj,gate_proj,up_proj,down_proj",
    "phi": "q_proj,v_proj,k_proj,dense",
    "": "q_proj,v_proj,k_proj,o_proj",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_profile_the_family_says_what_there_is(family: str) -> None:
    model = BaseModel(id="m", display_name="m", family=family, trainable=True)
    assert ",".join(families.usual_targets(model)) == FAMILIES[family]
    found = the(report(lora(trainable_modules="nothing_like_it"), model), "LORA_TARGET_NOT_FOUND")
    assert found.fix.edits[0].value.string_value == FAMILIES[family]


def test_an_adapter_is_narrower_than_its_model() -> None:
    found = the(report(lora(rank=192, alpha=384), PICO), "LORA_RANK_TOO_LARGE")
    assert (found.severity, found.fix.edits[0].value.number_value) == (SEVERITY_ERROR, 48)
    assert "LORA_RANK_TOO_LARGE" not in codes(report(lora(rank=191), PICO))


@pytest.mark.parametrize(("rank", "alpha", "usual"), [(32, 16, 64), (8, 300, 16), (128, 256, 128)])
def test_alpha_is_usually_twice_the_rank(rank: int, alpha: int, usual: int) -> None:
    found = the(report(lora(rank=rank, alpha=alpha)), "LORA_ALPHA_UNUSUAL")
    assert (found.severity, found.fix.edits[0].value.number_value) == (SEVERITY_NOTE, usual)


def test_the_defaults_are_as_usual() -> None:
    assert "LORA_ALPHA_UNUSUAL" not in codes(report(lora()))


def test_full_training_has_no_targets() -> None:
    full = configuration(method={"type": "TRAINING_METHOD_FULL"})
    assert [code for code in codes(report(full, changed(LLAMA_2_7B, family="gpt2"))) if code.startswith("LORA")] == []
