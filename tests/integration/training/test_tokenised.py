"""Rows that were tokenised once are not tokenised again, and a job can't tell the difference."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from trl import SFTConfig
from tunesmith.worker.v1 import worker_service_pb2

from workers.training.tokenised import COLUMNS, TokenisedRows

from .conftest import Job

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]


def assignment() -> worker_service_pb2.Assignment:
    made = worker_service_pb2.Assignment()
    made.base_model.files.add(path="tokenizer.json", sha256="1" * 64)
    made.base_model.files.add(path="model.safetensors", sha256="2" * 64)
    made.training_dataset.sha256, made.validation_dataset.sha256 = "3" * 64, "4" * 64
    return made


class Preparing:
    """Prepares rows and counts how often it had to."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> Any:
        self.count += 1
        rows = [{"text": str(number), "input_ids": [number, 7], "labels": [-100, 7]} for number in range(4)]
        return Dataset.from_list(rows).select([0, 2, 3])


def arguments(**changed: Any) -> SFTConfig:
    return SFTConfig(output_dir="unused", use_cpu=True, bf16=False, **{"max_length": 512, "report_to": "none"} | changed)


def test_the_same_rows_are_prepared_once(tmp_path: Path) -> None:
    prepare, folder = Preparing(), tmp_path / "cache" / "tokenised"
    first = TokenisedRows(folder, assignment()).prepared("train", arguments(), prepare)
    again = TokenisedRows(folder, assignment()).prepared("train", arguments(seed=5, learning_rate=0.1), prepare)
    assert prepare.count == 1
    assert again.column_names == COLUMNS
    assert again.to_list() == first.select_columns(COLUMNS).to_list()
    assert len(again) == 3


def test_everything_that_the_result_depends_on_counts(tmp_path: Path) -> None:
    prepare, folder = Preparing(), tmp_path / "cache" / "tokenised"
    TokenisedRows(folder, assignment()).prepared("train", arguments(), prepare)
    other_rows, other_format, other_tokenizer = assignment(), assignment(), assignment()
    other_rows.training_dataset.sha256 = "5" * 64
    other_format.training_dataset.format = 1
    other_tokenizer.base_model.files[0].sha256 = "6" * 64
    for changed in (other_rows, other_format, other_tokenizer):
        TokenisedRows(folder, changed).prepared("train", arguments(), prepare)
    TokenisedRows(folder, assignment()).prepared("eval", arguments(), prepare)
    for changed in ({"max_length": 256}, {"assistant_only_loss": True}, {"completion_only_loss": False}):
        TokenisedRows(folder, assignment()).prepared("train", arguments(**changed), prepare)
    assert prepare.count == len(list(folder.iterdir())) == 1 + 3 + 1 + 3


def test_other_weights_have_the_same_rows(tmp_path: Path) -> None:
    prepare, other = Preparing(), assignment()
    other.base_model.files[1].sha256 = "7" * 64
    for each in (assignment(), other):
        TokenisedRows(tmp_path / "cache" / "tokenised", each).prepared("train", arguments(), prepare)
    assert prepare.count == 1


def test_a_model_without_known_files_keeps_nothing(tmp_path: Path) -> None:
    prepare = Preparing()
    for _ in range(2):
        TokenisedRows(tmp_path / "tokenised", worker_service_pb2.Assignment()).prepared("train", arguments(), prepare)
    assert (prepare.count, list(tmp_path.iterdir())) == (2, [])


@pytest.mark.parametrize("content", [b"", b"no arrow file at all" * 100])
def test_a_damaged_file_is_made_again(tmp_path: Path, content: bytes) -> None:
    prepare, folder = Preparing(), tmp_path / "cache" / "tokenised"
    TokenisedRows(folder, assignment()).prepared("train", arguments(), prepare)
    (path,) = folder.iterdir()
    path.chmod(0o644)
    path.write_bytes(content)
    made = TokenisedRows(folder, assignment()).prepared("train", arguments(), prepare)
    assert (prepare.count, len(made)) == (2, 3)
    TokenisedRows(folder, assignment()).prepared("train", arguments(), prepare)
    assert prepare.count == 2


@pytest.mark.parametrize("dataset_format", ["TEXT", "ALPACA", "MESSAGES"])
def test_a_job_trains_alike_on_rows_that_were_kept(make_job: MakeJob, tmp_path: Path, dataset_format: str) -> None:
    folder = tmp_path / "cache" / "tokenised"

    def job(kept: bool) -> Job:
        made = make_job(dataset_format, evaluate=True)
        made.assignment.base_model.files.add(path="tokenizer.json", sha256="1" * 64)
        made.assignment.training_dataset.sha256, made.assignment.validation_dataset.sha256 = "3" * 64, "4" * 64
        return replace(made, inputs=replace(made.inputs, tokenised_folder=folder if kept else None))

    plain, first, again = (job(kept).run() for kept in (False, True, True))
    assert len(list(folder.iterdir())) == 2
    assert len(plain.losses()) == 5
    assert plain.losses() == first.losses() == again.losses()
    assert plain.evaluations == first.evaluations == again.evaluations
    assert plain.warnings == first.warnings == again.warnings
