"""What a provider refuses and what it drops."""

import pytest
from tunesmith import apply_fixes
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, SEVERITY_NOTE

from tests.unit.services.preflight.known import PICO, codes, configuration, older_local, report, the
from workers.providers import PROVIDERS

REFUSED = {
    "METHOD_NOT_SUPPORTED": {
        "method": {"type": "TRAINING_METHOD_PROMPT_TUNING", "prompt_tuning_config": {}},
        "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_SEQUENCE_PACKING"]},
    },
    "PRECISION_NOT_SUPPORTED": {"model": {"base_model": "pico", "precision": "MODEL_PRECISION_FP8"}},
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_refusal_is_an_error_that_one_fix_ends(code: str) -> None:
    made = configuration(**REFUSED[code])
    found = report(made, PICO)
    assert the(found, code).severity == SEVERITY_ERROR
    assert codes(report(apply_fixes(made, [the(found, code)]), PICO), SEVERITY_ERROR) == []


def test_an_objective_that_a_provider_does_not_know_becomes_one_that_it_does() -> None:
    made = configuration(
        method={
            "type": "TRAINING_METHOD_LORA",
            "lora_config": {},
            "objective": "TRAINING_OBJECTIVE_DISTILLATION",
            "distillation_config": {"teacher_model": "pico"},
        }
    )
    found = the(report(made, PICO, provider="axolotl"), "OBJECTIVE_NOT_SUPPORTED")
    assert found.severity == SEVERITY_ERROR
    assert "OBJECTIVE_NOT_SUPPORTED" not in codes(report(apply_fixes(made, [found]), PICO, provider="axolotl"))


def test_qlora_in_four_bits_becomes_lora_in_sixteen_by_either_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, "local", older_local())
    made = configuration(
        model={"base_model": "pico", "precision": "MODEL_PRECISION_INT4"},
        method={"type": "TRAINING_METHOD_QLORA", "lora_config": {"rank": 16, "alpha": 32}},
    )
    found = report(made, PICO)
    for code in ("METHOD_NOT_SUPPORTED", "PRECISION_NOT_SUPPORTED"):
        fixed = apply_fixes(made, [the(found, code)])
        assert codes(report(fixed, PICO), SEVERITY_ERROR) == []
        assert fixed.method.lora_config.rank == 16
    # What the refused method's settings come to is not said: they act once the method does.
    assert "FIELD_DROPPED" not in codes(found)


def test_a_dropped_field_is_worth_knowing_and_can_be_removed() -> None:
    trackers = {"wandb": {"project": "p"}, "mlflow": {"experiment": "e"}, "trackio": {"project": "t"}}
    made = configuration(hardware={"strategy": "DISTRIBUTION_STRATEGY_FSDP"}, integrations=trackers)
    dropped = [one for one in report(made, PICO, provider="unsloth").findings if one.code == "FIELD_DROPPED"]
    asked = {"hardware.strategy", "integrations.wandb.project", "integrations.mlflow.experiment", "integrations.trackio.project"}
    assert asked <= {one.field_path for one in dropped}
    assert {one.severity for one in dropped} == {SEVERITY_NOTE}
    assert "FIELD_DROPPED" not in codes(report(apply_fixes(made, dropped), PICO, provider="unsloth"))


def test_of_a_list_all_that_is_idle_goes_at_once() -> None:
    idle = [
        "OPTIMIZATION_FEATURE_DYNAMIC_PADDING",
        "OPTIMIZATION_FEATURE_SEQUENCE_PACKING",
        "OPTIMIZATION_FEATURE_LENGTH_GROUPING",
    ]
    made = configuration(optimizations={"enabled": idle})
    dropped = [one for one in report(made, PICO).findings if one.code == "FIELD_DROPPED"]
    assert [one.field_path for one in dropped] == ["optimizations.enabled[0]", "optimizations.enabled[2]"]
    fixed = apply_fixes(made, dropped[:1])
    assert list(fixed.optimizations.enabled) == [6]
