"""Pairs of answers, and the objective that learns from them."""

import pytest
from tunesmith import apply_fixes
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR

from services.preflight.formats import has_turns
from tests.unit.services.preflight.known import GPT_2, PICO, codes, configuration, dataset, report, the

LORA = {"type": "TRAINING_METHOD_LORA", "lora_config": {}}
DPO = {"method": {**LORA, "objective": "TRAINING_OBJECTIVE_DPO"}}


def columns(**types: str) -> list[dict[str, object]]:
    return [{"name": name, "type": f"COLUMN_TYPE_{kind}", "value_count": 1000} for name, kind in types.items()]


TEXT = dataset("PREFERENCE", columns=columns(prompt="STRING", chosen="STRING", rejected="STRING"))
TURNS = dataset("PREFERENCE", columns=columns(conversations="LIST", chosen="OBJECT", rejected="OBJECT"))


@pytest.mark.parametrize("rows", [TEXT, TURNS])
def test_pairs_are_learnt_with_dpo(rows: object) -> None:
    assert codes(report(configuration(**DPO), PICO, training_dataset=rows), SEVERITY_ERROR) == []


@pytest.mark.parametrize(("objective", "rows", "fixed"), [("SFT", "PREFERENCE", "DPO"), ("DPO", "ALPACA", "SFT")])
def test_rows_of_another_objective_are_an_error_that_one_fix_ends(objective: str, rows: str, fixed: str) -> None:
    made = configuration(method={**LORA, "objective": f"TRAINING_OBJECTIVE_{objective}"})
    found = the(report(made, PICO, training_dataset=dataset(rows)), "DATASET_FORMAT_NOT_SUPPORTED")
    assert (found.severity, found.field_path) == (SEVERITY_ERROR, "datasets.training_file_id")
    assert [edit.value.string_value for edit in found.fix.edits] == [f"TRAINING_OBJECTIVE_{fixed}"]
    assert codes(report(apply_fixes(made, [found]), PICO, training_dataset=dataset(rows)), SEVERITY_ERROR) == []


def test_rows_that_nobody_learns_from_have_no_fix() -> None:
    found = the(report(configuration(**DPO), PICO, training_dataset=dataset("INTERACTIONS")), "DATASET_FORMAT_NOT_SUPPORTED")
    assert not found.HasField("fix")


@pytest.mark.parametrize(
    ("strategy", "rows", "fixed"),
    [("CHAT", TEXT, "STANDARD"), ("STANDARD", TURNS, "CHAT"), ("CHAT", TURNS, ""), ("STANDARD", TEXT, "")],
)
def test_columns_say_whether_pairs_are_of_turns(strategy: str, rows: object, fixed: str) -> None:
    made = configuration(**DPO, datasets={"training_file_id": "rows", "strategy": f"DATASET_STRATEGY_{strategy}"})
    found = [one for one in report(made, PICO, training_dataset=rows).findings if one.code == "STRATEGY_MISMATCH"]
    assert [edit.value.string_value for one in found for edit in one.fix.edits] == (
        [f"DATASET_STRATEGY_{fixed}"] if fixed else []
    )


def test_pairs_that_may_be_either_are_let_through() -> None:
    mixed = dataset("PREFERENCE", columns=columns(prompt="MIXED", chosen="STRING", rejected="STRING"))
    assert has_turns(mixed) is None
    assert has_turns(dataset("PREFERENCE")) is None
    for strategy in ("CHAT", "STANDARD"):
        made = configuration(**DPO, datasets={"training_file_id": "rows", "strategy": f"DATASET_STRATEGY_{strategy}"})
        assert "STRATEGY_MISMATCH" not in codes(report(made, PICO, training_dataset=mixed))


def test_turns_need_a_template_and_text_does_not() -> None:
    found = the(report(configuration(**DPO), GPT_2, training_dataset=TURNS), "NO_CHAT_TEMPLATE")
    assert "upload pairs of text" in found.message
    assert "NO_CHAT_TEMPLATE" not in codes(report(configuration(**DPO), GPT_2, training_dataset=TEXT))


def test_a_soft_prompt_learns_no_preferences() -> None:
    method = {"type": "TRAINING_METHOD_P_TUNING", "prompt_tuning_config": {}, "objective": "TRAINING_OBJECTIVE_DPO"}
    found = the(report(configuration(method=method), PICO, training_dataset=TEXT), "METHOD_NOT_SUPPORTED")
    assert "for DPO, use LORA" in found.message
