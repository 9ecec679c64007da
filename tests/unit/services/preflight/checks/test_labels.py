"""What is said of labels before a classifier is trained on them."""

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, SEVERITY_NOTE, SEVERITY_WARNING
from tunesmith.registry.v1.base_model_pb2 import BaseModel
from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics

from tests.unit.services.preflight.known import PICO, VIT, codes, configuration, dataset, report, the

CLASSIFY = {"type": "TRAINING_METHOD_LORA", "lora_config": {}, "objective": "TRAINING_OBJECTIVE_CLASSIFICATION"}


def counted(counts: dict[str, int], distinct: int | None = None, rows: int | None = None) -> DatasetStatistics:
    values = {
        "row_count": rows if rows is not None else sum(counts.values()),
        "mean_tokens": 2,
        "max_tokens": 4,
        "label_counts": counts,
        "distinct_label_count": distinct if distinct is not None else len(counts),
    }
    return ParseDict(values, DatasetStatistics())


CASES = {
    "LABELS_TOO_FEW": (counted({"cat": 9}), SEVERITY_ERROR, "every row of rows has the label 'cat'"),
    "LABELS_TOO_MANY": (counted({"a": 3}, 10_001, 90_000), SEVERITY_ERROR, "10,001 different labels"),
    "LABELS_ARE_NO_CHOICE": (counted({"a": 1, "b": 1, "c": 1}, 3), SEVERITY_WARNING, "hardly a choice of a few"),
    "LABELS_RARE": (
        counted({"cat": 90, "dog": 90, "owl": 4}),
        SEVERITY_NOTE,
        "1 of 3 labels of rows have fewer than 5 rows ('owl')",
    ),
}


@pytest.mark.parametrize("code", CASES)
@pytest.mark.parametrize(("model", "rows"), [(PICO, "TEXT_LABEL"), (VIT, "IMAGE_LABEL")])
def test_labels_that_teach_nothing_are_told(code: str, model: BaseModel, rows: str) -> None:
    statistics, severity, text = CASES[code]
    found = report(configuration(method=CLASSIFY), model, training_dataset=dataset(rows), statistics=statistics)
    assert the(found, code).severity == severity
    assert text in the(found, code).message
    assert {one for one in codes(found) if one.startswith("LABELS")} == {code}


def test_labels_that_are_fine_get_no_word() -> None:
    statistics = counted({"cat": 90, "dog": 90})
    found = report(configuration(method=CLASSIFY), VIT, training_dataset=dataset("IMAGE_LABEL"), statistics=statistics)
    assert not [one for one in codes(found) if one.startswith("LABELS")]
    # Pictures are neither padded nor cut, however short their labels are.
    assert not {"MOSTLY_PADDING", "ROWS_WILL_BE_CUT", "SEQUENCE_BEYOND_POSITIONS"} & set(codes(found))


@pytest.mark.parametrize(("model", "rows"), [(PICO, "TEXT_LABEL"), (VIT, "IMAGE_LABEL")])
def test_rows_with_labels_want_a_classifier(model: BaseModel, rows: str) -> None:
    finding = the(report(model=model, training_dataset=dataset(rows)), "DATASET_FORMAT_NOT_SUPPORTED")
    assert [(edit.field_path, edit.value.string_value) for edit in finding.fix.edits] == [
        ("method.objective", "TRAINING_OBJECTIVE_CLASSIFICATION")
    ]
    assert "DATASET_FORMAT_NOT_SUPPORTED" not in codes(
        report(configuration(method=CLASSIFY), model, training_dataset=dataset(rows))
    )


def test_rows_without_labels_are_nothing_to_classify() -> None:
    found = report(configuration(method=CLASSIFY), PICO, training_dataset=dataset("ALPACA"))
    assert "text and label" in the(found, "DATASET_FORMAT_NOT_SUPPORTED").message


@pytest.mark.parametrize("method", ["PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"])
def test_soft_prompts_do_not_classify(method: str) -> None:
    made = {"type": f"TRAINING_METHOD_{method}", "prompt_tuning_config": {}, "objective": CLASSIFY["objective"]}
    found = report(configuration(method=made), VIT, training_dataset=dataset("IMAGE_LABEL"))
    assert the(found, "METHOD_NOT_SUPPORTED").severity == SEVERITY_ERROR
    assert "CLASSIFICATION" in the(found, "METHOD_NOT_SUPPORTED").message
    captioned = {"type": f"TRAINING_METHOD_{method}", "prompt_tuning_config": {}}
    found = report(configuration(method=captioned), VIT, training_dataset=dataset("IMAGE_CAPTION"))
    finding = the(found, "METHOD_READS_NO_PICTURES")
    assert (finding.severity, finding.fix.edits[0].value.string_value) == (SEVERITY_ERROR, "TRAINING_METHOD_LORA")
