"""When a run stops, what it keeps and how it is watched: what becomes of each field, in a sentence."""

from typing import Any

import pytest

from workers.providers.local.plan import plan
from workers.providers.local.provider import RULES
from workers.providers.provider import DROPPED, SENT

from .conftest import Submit, merged

VALIDATED = {"datasets": {"validation_file_id": "held-out"}}


def told(submit: Submit, over: dict[str, Any], field: str) -> tuple[int, str]:
    (lowered,) = RULES[f"schedule.{field}"](submit(over)[1])
    return lowered.action, lowered.detail


@pytest.mark.parametrize(
    ("schedule", "field", "action", "words"),
    [
        (
            {"early_stopping_patience": 2, "evaluations": 5},
            "early_stopping_patience",
            SENT,
            "2 evaluations in a row are no better",
        ),
        ({"early_stopping_patience": 1, "evaluations": 5}, "early_stopping_patience", SENT, "an evaluation is no better"),
        # One evaluation, the default, comes when the run is over.
        ({"early_stopping_patience": 1}, "early_stopping_patience", DROPPED, "set schedule.evaluations to more than 1"),
        ({"early_stopping_patience": 1, "evaluations": 0}, "early_stopping_patience", DROPPED, "schedule.evaluations is 0"),
        ({"keep_best": True}, "keep_best", SENT, "lowest loss"),
        ({"keep_best": False}, "keep_best", SENT, "at the end"),
        ({"keep_best": True, "evaluations": 0}, "keep_best", DROPPED, "schedule.evaluations is 0"),
        ({"histograms": 3}, "histograms", SENT, "one before the first step and 3 spread"),
        ({"histograms": 0}, "histograms", SENT, "no histograms"),
        (
            {"step_timeout_seconds": 30},
            "step_timeout_seconds",
            SENT,
            "longer than 30 s is given up; an attempt's first has 600 s",
        ),
        ({"step_timeout_seconds": 900}, "step_timeout_seconds", SENT, "first has 900 s"),
    ],
)
def test_what_becomes_of_a_field(submit: Submit, schedule: dict[str, Any], field: str, action: int, words: str) -> None:
    found, detail = told(submit, VALIDATED | {"schedule": schedule}, field)
    assert found == action
    assert words in detail


@pytest.mark.parametrize("field", ["early_stopping_patience", "keep_best"])
def test_both_need_a_validation_dataset(submit: Submit, field: str) -> None:
    action, detail = told(submit, {"schedule": {"early_stopping_patience": 2, "evaluations": 5, "keep_best": True}}, field)
    assert action == DROPPED
    assert "set datasets.validation_file_id" in detail


def test_what_is_dropped_does_not_act(submit: Submit) -> None:
    asked = {"schedule": {"early_stopping_patience": 2, "evaluations": 5, "keep_best": True}}
    without, with_rows = (plan(submit(over)[1]) for over in (asked, merged(asked, VALIDATED)))
    assert (without.patience, without.keeps_best) == (None, False)
    assert (with_rows.patience, with_rows.keeps_best) == (2, True)
    never = plan(submit(merged(VALIDATED, {"schedule": {"early_stopping_patience": 1}}))[1])
    assert never.patience is None
