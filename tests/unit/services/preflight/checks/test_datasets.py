"""What the rows are, against model, strategy, provider and each other."""

import pytest
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, SEVERITY_NOTE, SEVERITY_WARNING
from tunesmith.registry.v1.base_model_pb2 import Modality
from tunesmith.registry.v1.dataset_pb2 import DatasetFormat
from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics

from services.chassis.dataset_columns import REQUIRED_COLUMNS
from services.preflight.formats import READS
from tests.unit.services.preflight.known import GPT_2, LLAMA_2_7B, PICO, VIT, changed, codes, configuration, dataset, report, the


def strategy(name: str) -> object:
    return configuration(datasets={"training_file_id": "rows", "strategy": f"DATASET_STRATEGY_{name}"})


def test_messages_with_a_template_are_fine() -> None:
    found = codes(report(strategy("CHAT"), PICO, training_dataset=dataset("MESSAGES")), SEVERITY_ERROR)
    assert found == []


@pytest.mark.parametrize("rows", ["MESSAGES", "SHAREGPT"])
def test_messages_need_a_template(rows: str) -> None:
    found = the(report(model=GPT_2, training_dataset=dataset(rows)), "NO_CHAT_TEMPLATE")
    assert "convert the dataset" in found.message
    assert not found.HasField("fix")


def test_a_template_that_nobody_has_read_is_no_error() -> None:
    unread = changed(LLAMA_2_7B)
    unread.ClearField("has_chat_template")
    assert the(report(model=unread, training_dataset=dataset("MESSAGES")), "CHAT_TEMPLATE_UNKNOWN").severity == SEVERITY_NOTE


@pytest.mark.parametrize(("name", "rows", "fixed"), [("STANDARD", "MESSAGES", "CHAT"), ("CHAT", "TEXT", "STANDARD")])
def test_a_strategy_that_does_not_fit_the_rows_is_changed(name: str, rows: str, fixed: str) -> None:
    found = the(report(strategy(name), PICO, training_dataset=dataset(rows)), "STRATEGY_MISMATCH")
    assert found.field_path == "datasets.strategy"
    assert [edit.value.string_value for edit in found.fix.edits] == [f"DATASET_STRATEGY_{fixed}"]


@pytest.mark.parametrize("rows", ["PREFERENCE", "IMAGE_LABEL", "INTERACTIONS", "UNSPECIFIED"])
def test_rows_that_the_provider_does_not_train_on(rows: str) -> None:
    assert the(report(model=PICO, training_dataset=dataset(rows)), "DATASET_FORMAT_NOT_SUPPORTED").severity == SEVERITY_ERROR


# The seed's matrix: what a model of each modality learns from.
MATRIX = {
    "TEXT": {"TEXT", "MULTIMODAL"},
    "VISION": {"VISION", "MULTIMODAL"},
    "AUDIO": {"AUDIO", "MULTIMODAL"},
    "VIDEO": {"VIDEO", "MULTIMODAL"},
    "VISION_TEXT": {"TEXT", "VISION", "VISION_TEXT", "MULTIMODAL"},
    "MULTIMODAL": {"TEXT", "VISION", "AUDIO", "VIDEO", "VISION_TEXT", "MULTIMODAL"},
}


def test_the_modality_matrix() -> None:
    def name(modality: int) -> str:
        return Modality.Name(modality).removeprefix("MODALITY_")

    assert {name(model): {name(one) for one in readable} for model, readable in READS.items()} == MATRIX


@pytest.mark.parametrize(
    ("model", "rows", "mismatch"), [(PICO, "TEXT", 0), (PICO, "IMAGE_LABEL", 1), (VIT, "IMAGE_CAPTION", 0), (VIT, "ALPACA", 1)]
)
def test_a_model_reads_what_the_rows_hold(model: object, rows: str, mismatch: int) -> None:
    assert codes(report(model=model, training_dataset=dataset(rows))).count("MODALITY_MISMATCH") == mismatch


def test_every_format_has_its_columns() -> None:
    assert {DatasetFormat.Name(one) for one in REQUIRED_COLUMNS} == set(DatasetFormat.keys()) - {"DATASET_FORMAT_UNSPECIFIED"}


def test_columns_that_are_missing_or_have_gaps() -> None:
    columns = [{"name": "prompt", "value_count": 990}]
    found = report(model=PICO, training_dataset=dataset("PROMPT_COMPLETION", columns=columns))
    assert "no column completion" in the(found, "DATASET_COLUMN_MISSING").message
    assert "10 of 1,000 rows" in the(found, "DATASET_COLUMN_INCOMPLETE").message


def test_rows_that_changed_on_disk_are_not_trained_on() -> None:
    integrity = {"status": "INTEGRITY_STATUS_FAILED", "message": "the file is shorter than it was"}
    found = the(report(model=PICO, training_dataset=dataset(integrity=integrity)), "DATASET_INTEGRITY_FAILED")
    assert found.severity == SEVERITY_ERROR
    assert "shorter than it was" in found.message
    assert ":verify" in found.message


@pytest.mark.parametrize(
    ("rows", "code", "severity"),
    [(9, "FEW_ROWS", SEVERITY_WARNING), (10, "SMALL_DATASET", SEVERITY_NOTE), (499, "SMALL_DATASET", SEVERITY_NOTE)],
)
def test_few_rows(rows: int, code: str, severity: int) -> None:
    assert the(report(model=PICO, training_dataset=dataset(row_count=rows)), code).severity == severity


def test_enough_rows() -> None:
    found = codes(report(model=PICO, training_dataset=dataset(row_count=500)))
    assert "SMALL_DATASET" not in found and "FEW_ROWS" not in found


def test_a_validation_dataset_of_another_format() -> None:
    made = configuration(datasets={"training_file_id": "rows", "validation_file_id": "held-out"})
    found = the(report(made, PICO, validation_dataset=dataset("TEXT", id="held-out")), "VALIDATION_FORMAT_DIFFERS")
    assert [edit.field_path for edit in found.fix.edits] == ["datasets.validation_file_id"]


STATISTICS = DatasetStatistics(dataset_id="rows", row_count=1000, mean_tokens=300, max_tokens=5000)
STATISTICS.token_histogram.add(lower=0, upper=1000, row_count=900)
STATISTICS.token_histogram.add(lower=3000, upper=5001, row_count=100)


def test_rows_that_will_be_cut() -> None:
    found = the(report(statistics=STATISTICS), "ROWS_WILL_BE_CUT")
    assert "10.0% of the rows are longer than 2048 tokens" in found.message
    assert "5000" in found.message


def test_a_ceiling_beyond_the_models_positions() -> None:
    found = the(report(configuration(schedule={"sequence_length": 8192}), GPT_2), "SEQUENCE_BEYOND_POSITIONS")
    assert (found.severity, found.fix.edits[0].value.number_value) == (SEVERITY_NOTE, 1024)


def test_padding_that_most_of_the_time_goes_into() -> None:
    found = the(report(configuration(optimizations=None)), "MOSTLY_PADDING")
    assert "about 200 tokens and are padded to 2048: 90% of what is computed" in found.message
    assert [one.string_value for one in found.fix.edits[0].value.list_value.values] == ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]
    assert "MOSTLY_PADDING" not in codes(report())
