"""Objectives with a second model, or a second pass of the same, in two processes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.training.conftest import Job

from .conftest import Run
from .test_data_parallel import SETTINGS, TWO, same

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "preferences, full": ("PREFERENCE", "FULL", {"objective": "TRAINING_OBJECTIVE_DPO"}),
    "preferences, LoRA": ("PREFERENCE", "LORA", {"objective": "TRAINING_OBJECTIVE_DPO"}),
    "preferences without a reference, full": (
        "PREFERENCE",
        "FULL",
        {"objective": "TRAINING_OBJECTIVE_DPO", "preference_config": {"reference_free": True}},
    ),
    "a teacher, full": (
        "ALPACA",
        "FULL",
        {"objective": "TRAINING_OBJECTIVE_DISTILLATION", "distillation_config": {"teacher_model": "base-1"}},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_as_one_does_with_twice_the_rows(case: str, make_job: MakeJob, together: Run) -> None:
    rows, method, objective = CASES[case]

    def job(sections: dict[str, Any]) -> Job:
        made = make_job(rows, {**sections, "method": objective}, method=method, evaluate=True)
        # Its own teacher: what it says is learnt after the first step.
        made.inputs = replace(made.inputs, teacher_model=made.inputs.base_model)
        return made

    one = job({"schedule": {**SETTINGS["schedule"], "gradient_accumulation": 2}}).run()
    two = together(job({**SETTINGS, **TWO}))
    assert [told["ended"] for told in two.told] == ["succeeded", "succeeded"]
    for series in ("train_loss", "eval_loss", "gradient_norm"):
        same(two.series(series), one.points[series])
