"""Numbers outside of what is recommended, and a rate that suits another method."""

import pytest
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_NOTE, SEVERITY_WARNING

from services.preflight import form
from tests.unit.services.preflight.checks.test_rules import with_value
from tests.unit.services.preflight.known import LLAMA_2_7B, PICO, codes, configuration, report, the

WARNED = {
    "schedule.epochs": (15, 10),
    "schedule.batch_size": (32, 8),
    "optimizer.learning_rate": (0.01, 0.0005),
    "method.lora_config.rank": (4, 8),
}
NOTED = {
    "optimizer.weight_decay": (0.5, 0.1),
    "schedule.gradient_accumulation": (16, 8),
    "method.lora_config.dropout": (0.5, 0.1),
}


@pytest.mark.parametrize("path", WARNED)
def test_what_ruins_most_runs_is_a_warning(path: str) -> None:
    value, nearest = WARNED[path]
    found = the(report(with_value(path, value)), "OUTSIDE_RECOMMENDED")
    assert (found.severity, found.field_path) == (SEVERITY_WARNING, path)
    assert found.fix.edits[0].value.number_value == pytest.approx(nearest)


@pytest.mark.parametrize("path", NOTED)
def test_the_rest_is_worth_knowing(path: str) -> None:
    value, nearest = NOTED[path]
    found = the(report(with_value(path, value)), "OUTSIDE_RECOMMENDED")
    assert (found.severity, found.fix.edits[0].value.number_value) == (SEVERITY_NOTE, pytest.approx(nearest))


@pytest.mark.parametrize(
    ("path", "value", "severity"),
    [
        ("optimizer.learning_rate", 0.005, SEVERITY_NOTE),
        ("optimizer.learning_rate", 0.006, SEVERITY_WARNING),
        ("method.lora_config.rank", 2, SEVERITY_NOTE),
        ("schedule.epochs", 11, SEVERITY_WARNING),
    ],
)
def test_a_small_model_bears_ten_times_as_much(path: str, value: float, severity: int) -> None:
    assert the(report(with_value(path, value), PICO), "OUTSIDE_RECOMMENDED").severity == severity


def test_no_default_is_outside_of_what_is_recommended() -> None:
    with_both = [
        knob for knob in form.knobs().values() if knob.knob.HasField("recommended") and knob.knob.HasField("default_value")
    ]
    assert len(with_both) >= 14
    least = JobConfiguration()
    least.CopyFrom(configuration(optimizer=None, method={"type": "TRAINING_METHOD_LORA", "lora_config": {}}))
    for model in (PICO, LLAMA_2_7B):
        assert "OUTSIDE_RECOMMENDED" not in codes(report(least, model))


def test_an_adapter_with_the_rate_of_full_training() -> None:
    found = the(report(with_value("optimizer.learning_rate", 1e-5)), "LEARNING_RATE_LOW")
    assert (found.severity, found.fix.edits[0].value.number_value) == (SEVERITY_NOTE, pytest.approx(2e-4))


def test_full_training_with_the_rate_of_an_adapter() -> None:
    full = configuration(method={"type": "TRAINING_METHOD_FULL"}, optimizer={"learning_rate": 0.0003})
    assert the(report(full), "LEARNING_RATE_HIGH").severity == SEVERITY_NOTE
    assert "LEARNING_RATE_HIGH" not in codes(report(full, PICO))
