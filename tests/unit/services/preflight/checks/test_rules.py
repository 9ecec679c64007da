"""The protos' rules as findings: code, place, sentence and the nearest allowed value."""

import math

import pytest
from google.protobuf.json_format import MessageToDict
from tunesmith import apply_fixes
from tunesmith.client.validation import violations_of
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR

from services.preflight import form
from services.preflight.repair import RULES, nearest_allowed, repair
from tests.unit.services.preflight.known import BASE, configuration, report, the

NUMBERS = {
    "epochs too few": ("schedule.epochs", -1, 1),
    "epochs too many": ("schedule.epochs", 21, 20),
    "batch size": ("schedule.batch_size", 65, 64),
    "sequence length too short": ("schedule.sequence_length", 100, 512),
    "a rate of nothing": ("optimizer.learning_rate", 0, 1e-5),
    "a rate above one": ("optimizer.learning_rate", 2, 1),
    "a rate that is no number": ("optimizer.learning_rate", "NaN", 1e-5),
    "rank": ("method.lora_config.rank", 1000, 256),
    "dropout": ("method.lora_config.dropout", -0.5, 0),
    "GPUs": ("hardware.num_gpus", -2, 0),
}


def with_value(path: str, value: object) -> JobConfiguration:
    *parents, leaf = path.split(".")
    section = {leaf: value}
    for name in reversed(parents[1:]):
        section = {name: section}
    return configuration(**{parents[0]: {**BASE.get(parents[0], {}), **section}})


@pytest.mark.parametrize("case", NUMBERS)
def test_a_number_out_of_range_is_set_to_the_nearest_allowed_one(case: str) -> None:
    path, value, expected = NUMBERS[case]
    broken, repaired = repair(with_value(path, value))
    [finding] = broken
    assert (finding.code, finding.severity, finding.field_path) == ("OUT_OF_RANGE", SEVERITY_ERROR, path)
    assert [(edit.field_path, edit.value.number_value) for edit in finding.fix.edits] == [(path, expected)]
    assert form.value_at(repaired, path) == pytest.approx(expected)


def test_every_number_has_a_nearest_value_inside_of_its_rule() -> None:
    numbers = {path: knob for path, knob in form.knobs().items() if knob.rules.WhichOneof("type") in ("int32", "double")}
    assert len(numbers) >= 18
    for path, knob in numbers.items():
        for wild in (-1e9, 1e9, math.nan):
            nearest = nearest_allowed(knob, wild)
            if nearest is None:
                assert math.isnan(wild), path
                continue
            allowed = with_value(path, int(nearest) if knob.rules.HasField("int32") else nearest)
            # Settings of prompt tuning beside LoRA's break a rule of their own.
            assert [one for one in violations_of(allowed) if one.field == path] == [], (path, wild)


def test_what_is_required_is_named_and_what_it_is_for() -> None:
    found = report(JobConfiguration(), model=None, training_dataset=None)
    required = {one.field_path for one in found.findings if one.code == "REQUIRED_FIELD"}
    assert required == {"model.base_model", "datasets.training_file_id", "method.type"}
    assert not found.ok
    assert not found.HasField("resolved_configuration")


CONTRADICTIONS = {
    "METHOD_LORA_CONFIG_MISSING": {"method": {"type": "TRAINING_METHOD_LORA"}},
    "METHOD_LORA_CONFIG_UNUSED": {"method": {"type": "TRAINING_METHOD_FULL", "lora_config": {}}},
    "METHOD_PROMPT_TUNING_CONFIG_MISSING": {"method": {"type": "TRAINING_METHOD_PROMPT_TUNING"}},
    "METHOD_PROMPT_TUNING_CONFIG_UNUSED": {
        "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}, "prompt_tuning_config": {}}
    },
    "METHOD_PREFERENCE_CONFIG_UNUSED": {"method": {"type": "TRAINING_METHOD_FULL", "preference_config": {"beta": 0.2}}},
    "PREFERENCE_CONFIG_LABEL_SMOOTHING_NEEDS_A_LOSS_THAT_HAS_IT": {
        "method": {
            "type": "TRAINING_METHOD_FULL",
            "objective": "TRAINING_OBJECTIVE_DPO",
            "preference_config": {"label_smoothing": 0.1},
        }
    },
    "METHOD_DISTILLATION_CONFIG_UNUSED": {
        "method": {"type": "TRAINING_METHOD_FULL", "distillation_config": {"teacher_model": "sage"}}
    },
    "CONFIGURATION_INTEGER_PRECISION_NEEDS_QLORA": {"model": {"base_model": "m", "precision": "MODEL_PRECISION_INT4"}},
    "MODEL_DOUBLE_QUANTIZATION_NEEDS_INT4": {"model": {"base_model": "m", "double_quantization": True}},
    "MODEL_MASTER_WEIGHTS_NEED_16_BITS": {
        "model": {"base_model": "m", "precision": "MODEL_PRECISION_FP32", "master_weights": True}
    },
    "DATASETS_VALIDATION_IS_TRAINING": {"datasets": {"training_file_id": "a", "validation_file_id": "a"}},
    "SCHEDULER_CYCLES_NEED_COSINE": {"optimizer": {"scheduler": {"type": "LR_SCHEDULER_TYPE_LINEAR", "cycles": 1}}},
    "STRING_PATTERN": {"method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"trainable_modules": "a b"}}},
    "REPEATED_UNIQUE": {"optimizations": {"enabled": [1, 1]}},
    "UNKNOWN_VALUE": {"optimizations": {"enabled": [99, 1]}},
}


@pytest.mark.parametrize("code", CONTRADICTIONS)
def test_a_contradiction_has_a_code_and_a_fix_that_ends_it(code: str) -> None:
    made = configuration(**CONTRADICTIONS[code])
    broken, repaired = repair(made)
    [finding] = broken
    assert finding.code == code
    assert violations_of(apply_fixes(made, broken)) == []
    assert violations_of(repaired) == []


def test_every_rule_between_fields_has_its_fix() -> None:
    covered = {code for code in CONTRADICTIONS if code not in ("STRING_PATTERN", "REPEATED_UNIQUE", "UNKNOWN_VALUE")}
    assert {rule.replace(".", "_").upper() for rule in RULES} == covered


def test_an_unknown_method_becomes_lora_and_keeps_its_settings() -> None:
    made = configuration(method={"type": 99, "lora_config": {"rank": 4}})
    fixed = apply_fixes(made, repair(made)[0])
    assert MessageToDict(fixed.method, preserving_proto_field_name=True) == {
        "type": "TRAINING_METHOD_LORA",
        "lora_config": {"rank": 4},
    }


def test_a_mistake_does_not_hide_the_others() -> None:
    found = report(
        configuration(
            schedule={"epochs": -1}, method={"type": "TRAINING_METHOD_LORA", "lora_config": {"trainable_modules": "c_attn"}}
        )
    )
    assert the(found, "OUT_OF_RANGE").field_path == "schedule.epochs"
    assert the(found, "LORA_TARGET_NOT_FOUND")
