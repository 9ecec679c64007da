"""A teacher has to say the same tokens as the model that learns."""

from typing import Any

import pytest
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR

from services.preflight.checks.teacher import ROUNDING
from tests.unit.services.preflight.known import GPT_2, LLAMA_2_7B, PICO, VIT, changed, codes, configuration, report, the

PATH = "method.distillation_config.teacher_model"


def distillation(**settings: Any) -> JobConfiguration:
    return configuration(
        method={
            "type": "TRAINING_METHOD_LORA",
            "lora_config": {},
            "objective": "TRAINING_OBJECTIVE_DISTILLATION",
            "distillation_config": {"teacher_model": "sage", **settings},
        }
    )


def vocabulary(size: int) -> Any:
    return changed(PICO, architecture={"vocabulary_size": size}, display_name="sage")


def test_a_teacher_with_the_same_vocabulary_is_fine() -> None:
    assert codes(report(distillation(), PICO, teacher=vocabulary(4096)), SEVERITY_ERROR) == []


def test_another_vocabulary_is_an_error_that_only_a_person_can_put_right() -> None:
    found = the(report(distillation(), PICO, teacher=LLAMA_2_7B), "TEACHER_VOCABULARY_DIFFERS")
    assert (found.severity, found.field_path) == (SEVERITY_ERROR, PATH)
    assert "Llama-2-7B tells 32,000 tokens and pico 4,096" in found.message
    assert not found.HasField("fix")


@pytest.mark.parametrize(("size", "differs"), [(4096 + ROUNDING - 1, False), (4096 + ROUNDING, True), (0, False)])
def test_sizes_that_are_rounded_up_otherwise_tell_nothing(size: int, differs: bool) -> None:
    assert ("TEACHER_VOCABULARY_DIFFERS" in codes(report(distillation(), PICO, teacher=vocabulary(size)))) == differs


def test_one_tokenizer_is_one_vocabulary_whatever_the_sizes() -> None:
    files = [{"path": "tokenizer.json", "sha256": "a" * 64, "size_bytes": 1}]
    student, teacher = changed(PICO, files=files), changed(vocabulary(9000), files=files)
    assert "TEACHER_VOCABULARY_DIFFERS" not in codes(report(distillation(), student, teacher=teacher))


@pytest.mark.parametrize(("teacher", "word"), [(changed(GPT_2, gguf=True), "a GGUF file"), (VIT, "no language model")])
def test_a_teacher_that_nobody_can_ask(teacher: Any, word: str) -> None:
    assert word in the(report(distillation(), PICO, teacher=teacher), "TEACHER_NOT_LOADABLE").message


def test_without_distillation_nobody_is_asked() -> None:
    assert not [code for code in codes(report(configuration(), PICO, teacher=LLAMA_2_7B)) if code.startswith("TEACHER")]
