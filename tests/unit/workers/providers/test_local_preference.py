"""Preferences and a teacher as the libraries are given them, and what is said of each of their fields."""

from typing import Any

import pytest
from tunesmith.config.v1 import method_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.provider.v1.lowering_pb2 import FieldLowering, LoweringAction
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.knobs import resolved
from workers.providers.local import distillation, preference
from workers.providers.local.plan import TrainingPlan, plan
from workers.providers.local.provider import LOCAL

from .conftest import Submit, merged

LOSS_NAMES = {
    "SIGMOID": "sigmoid",
    "HINGE": "hinge",
    "IPO": "ipo",
    "ROBUST": "robust",
    "EXO_PAIR": "exo_pair",
    "NCA_PAIR": "nca_pair",
    "BCO_PAIR": "bco_pair",
    "SPPO_HARD": "sppo_hard",
    "AOT": "aot",
    "APO_ZERO": "apo_zero",
    "APO_DOWN": "apo_down",
}


def dpo(preference_config: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    method: dict[str, Any] = {"objective": "TRAINING_OBJECTIVE_DPO"}
    if preference_config is not None:
        method["preference_config"] = preference_config
    return {"method": method, **sections}


def distilling(**settings: Any) -> dict[str, Any]:
    config = {"teacher_model": "sage", **settings}
    return {"method": {"objective": "TRAINING_OBJECTIVE_DISTILLATION", "distillation_config": config}}


def planned(submit: Submit, over: dict[str, Any], rows: str = "PREFERENCE") -> TrainingPlan:
    return plan(submit(over)[1], dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{rows}"))


def compared(submit: Submit, config: dict[str, Any] | None = None) -> dict[str, Any]:
    trainer = planned(submit, dpo(config)).trainer
    return {name: trainer[name] for name in ("beta", "loss_type", "loss_weights", "label_smoothing")}


def lowered(submit: Submit, over: dict[str, Any]) -> dict[str, FieldLowering]:
    submitted, filled = submit(over)
    return {field.field_path: field for field in LOCAL.lower(filled, submitted)}


def action(field: FieldLowering) -> str:
    return LoweringAction.Name(field.action).removeprefix("LOWERING_ACTION_")


def test_every_loss_has_trls_name() -> None:
    named = {
        method_pb2.PreferenceLoss.Name(loss).removeprefix("PREFERENCE_LOSS_"): name for loss, name in preference.LOSSES.items()
    }
    assert named == LOSS_NAMES
    assert len(named) == len(method_pb2.PreferenceLoss.values()) - 1 == 11


def test_unset_preferences_are_the_defaults_of_the_fields(submit: Submit) -> None:
    expected = {"beta": 0.1, "loss_type": ["sigmoid"], "loss_weights": None, "label_smoothing": 0.0}
    assert compared(submit) == compared(submit, {}) == expected
    assert planned(submit, dpo()).objective == {"reference_free": False}
    # The server fills a message that is there; the provider's own filling is the same.
    there = resolved(JobConfiguration(method=method_pb2.Method(preference_config=method_pb2.PreferenceConfiguration())))
    assert preference.settings(JobConfiguration()) == there.method.preference_config


@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_a_loss_is_what_trl_calls_it(loss: str, submit: Submit) -> None:
    name = LOSS_NAMES[loss]
    over = dpo({"loss": f"PREFERENCE_LOSS_{loss}"})
    assert planned(submit, over).trainer["loss_type"] == [name]
    assert planned(submit, merged(over, dpo({"sft_weight": 0.3}))).trainer["loss_type"] == [name, "sft"]
    assert f"{name!r}" in lowered(submit, over)["method.preference_config.loss"].detail


def test_each_setting_changes_its_argument_and_no_other(submit: Submit) -> None:
    unset = compared(submit)
    assert compared(submit, {"beta": 0.3}) == unset | {"beta": 0.3}
    assert compared(submit, {"sft_weight": 0.5}) == unset | {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5]}
    assert compared(submit, {"reference_free": True}) == unset
    assert planned(submit, dpo({"reference_free": True})).objective == {"reference_free": True}


@pytest.mark.parametrize(
    ("loss", "given", "expected"),
    [("ROBUST", None, 0.0), ("ROBUST", 0.2, 0.2), ("EXO_PAIR", None, 0.001), ("EXO_PAIR", 0.1, 0.1), ("HINGE", None, 0.0)],
)
def test_label_smoothing_is_by_default_what_the_loss_needs(
    loss: str, given: float | None, expected: float, submit: Submit
) -> None:
    config = {"loss": f"PREFERENCE_LOSS_{loss}"} | ({} if given is None else {"label_smoothing": given})
    assert compared(submit, config)["label_smoothing"] == expected


@pytest.mark.parametrize("value", [0, 1])
def test_a_certain_label_is_no_label_for_exo(value: float, submit: Submit) -> None:
    field = lowered(submit, dpo({"loss": "PREFERENCE_LOSS_EXO_PAIR", "label_smoothing": value}))
    told = field["method.preference_config.label_smoothing"]
    assert action(told) == "REFUSED" and "use a value between" in told.detail
    with pytest.raises(ValueError, match="label_smoothing"):
        LOCAL.translate(submit(dpo({"loss": "PREFERENCE_LOSS_EXO_PAIR", "label_smoothing": value}))[1])


def test_every_field_of_preferences_is_answered_for(submit: Submit) -> None:
    config = {"beta": 1, "loss": "PREFERENCE_LOSS_ROBUST", "label_smoothing": 0.1, "reference_free": True, "sft_weight": 1}
    fields = {path: action(field) for path, field in lowered(submit, dpo(config)).items() if "preference_config" in path}
    assert fields == {
        "method.preference_config.beta": "SENT",
        "method.preference_config.loss": "SENT",
        "method.preference_config.label_smoothing": "SENT",
        "method.preference_config.reference_free": "CONVERTED",
        "method.preference_config.sft_weight": "CONVERTED",
    }


def test_what_single_rows_have_pairs_do_not(submit: Submit) -> None:
    enabled = {"enabled": ["OPTIMIZATION_FEATURE_SEQUENCE_PACKING", "OPTIMIZATION_FEATURE_LENGTH_GROUPING"]}
    over = dpo(schedule={"train_on_inputs": "TRAIN_ON_INPUTS_ENABLED"}, optimizations=enabled)
    trainer = planned(submit, over).trainer
    assert not {"packing", "completion_only_loss", "assistant_only_loss", "train_sampling_strategy"} & set(trainer)
    fields = lowered(submit, over)
    for path in ("schedule.train_on_inputs", "optimizations.enabled[0]", "optimizations.enabled[1]"):
        assert action(fields[path]) == "DROPPED"
    assert "DPO compares two answers" in fields["schedule.train_on_inputs"].detail


@pytest.mark.parametrize("name", ["PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"])
@pytest.mark.parametrize("over", [dpo(), distilling()])
def test_soft_prompts_are_refused_with_what_to_do(name: str, over: dict[str, Any], submit: Submit) -> None:
    soft = {"method": {"type": f"TRAINING_METHOD_{name}", "lora_config": None, "prompt_tuning_config": {}}}
    told = lowered(submit, merged(over, soft))["method.type"]
    assert action(told) == "REFUSED" and "use LORA" in told.detail


@pytest.mark.parametrize(("precision", "dtype"), [("FP32", "float32"), ("BF16", "bfloat16")])
def test_a_teacher_is_loaded_in_the_precision_of_the_job(precision: str, dtype: str, submit: Submit) -> None:
    over = distilling() | {"model": {"precision": f"MODEL_PRECISION_{precision}"}}
    made = planned(submit, over, "TEXT")
    assert made.objective == {
        "temperature": 2.0,
        "teacher_weight": 0.5,
        "teacher": {"dtype": dtype, "use_safetensors": True, "trust_remote_code": False},
    }
    assert made.trainer["completion_only_loss"] is False
    assert distillation.has_teacher(submit(over)[1])
    assert not distillation.has_teacher(submit(merged(over, distilling(teacher_weight=0)))[1])


def test_rows_are_laid_out_for_a_teacher_as_without_one(submit: Submit) -> None:
    packing = {"optimizations": {"enabled": ["OPTIMIZATION_FEATURE_SEQUENCE_PACKING"]}}
    for over in ({}, packing):
        assert planned(submit, distilling() | over, "ALPACA").trainer == planned(submit, over, "ALPACA").trainer
    assert planned(submit, distilling() | packing, "ALPACA").trainer["packing"]


def test_every_field_of_a_distillation_is_answered_for(submit: Submit) -> None:
    told = {
        path: field.detail
        for path, field in lowered(submit, distilling(temperature=3, teacher_weight=0.75)).items()
        if "distillation_config" in path
    }
    assert set(told) == {f"method.distillation_config.{name}" for name in ("teacher_model", "temperature", "teacher_weight")}
    assert "divided by 3" in told["method.distillation_config.temperature"]
    assert "0.75 of the loss" in told["method.distillation_config.teacher_weight"]
    unused = lowered(submit, distilling(teacher_weight=0))["method.distillation_config.teacher_model"]
    assert "not loaded" in unused.detail


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"preference_config": {"beta": 1}}, "only objective DPO"),
        ({"distillation_config": {"teacher_model": "a"}}, "only objective DIST"),
    ],
)
def test_settings_of_another_objective_are_dropped_with_what_to_do(config: dict[str, Any], word: str, submit: Submit) -> None:
    (path,) = config
    told = [field for name, field in lowered(submit, {"method": config}).items() if name.startswith(f"method.{path}")]
    assert told and {action(field) for field in told} == {"DROPPED"}
    assert all(word in field.detail for field in told)
