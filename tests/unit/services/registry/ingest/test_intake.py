"""What holds for every kind of file."""

import hashlib
import json

import pytest

from services.registry.ingest.intake import Limits
from tests.unit.services.registry.ingest.reading import MIB, jsonl, problems, read, refusal

CONTENTS = {
    "rows.jsonl": b'{"text": "a"}\n',
    "rows.json": b'[{"text": "a"}]',
    "rows.csv": b"text\na\n",
}


@pytest.mark.parametrize("name", CONTENTS)
def test_hashes_and_sizes_are_those_of_the_bytes(name: str) -> None:
    dataset, stored = read(CONTENTS[name], name)
    assert dataset.source_sha256 == hashlib.sha256(CONTENTS[name]).hexdigest()
    assert (dataset.sha256, dataset.size_bytes) == (hashlib.sha256(stored).hexdigest(), len(stored))
    assert json.loads(stored) == {"text": "a"}


SAME_LENGTH = {
    # As long as what is stored, and not the same: a number is written longer, a space is dropped and a line feed added.
    "rows.json": b'[{"text":"a","n":1E2}]\n',
    "rows.jsonl": b' {"text": "a"}',
}


@pytest.mark.parametrize("name", SAME_LENGTH)
def test_the_hash_of_rows_as_long_as_their_file_is_their_own(name: str) -> None:
    dataset, stored = read(SAME_LENGTH[name], name)
    assert len(stored) == len(SAME_LENGTH[name]) and stored != SAME_LENGTH[name]
    assert dataset.sha256 == hashlib.sha256(stored).hexdigest() != dataset.source_sha256


@pytest.mark.parametrize("piece_bytes", [10, MIB])
@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_over_the_limit_is_refused_with_the_settings_name(name: str, piece_bytes: int) -> None:
    data = CONTENTS[name] + b" " * 100
    error = refusal(data, name, limits=Limits(dataset_bytes=100, row_bytes=MIB), piece_bytes=piece_bytes)
    assert getattr(error, "reason", None) == "DATASET_TOO_LARGE"
    assert "TUNESMITH_MAX_DATASET_BYTES" in error.message and "100 bytes" in error.message


def test_rows_that_grow_past_the_limit_are_refused() -> None:
    # As JSON, each row repeats the names of its columns.
    header = ",".join(["text", *(f"column_{index}" for index in range(50))])
    data = (header + "\n" + ("," * 50 + "\n").replace(",", "a,", 1) * 100).encode()
    error = refusal(data, "rows.csv", limits=Limits(dataset_bytes=len(data), row_bytes=MIB))
    assert getattr(error, "reason", None) == "DATASET_TOO_LARGE"


def test_a_row_over_the_limit_once_it_is_stored_is_named() -> None:
    data = b"text," + b",".join(b"c%d" % index for index in range(100)) + b"\na" + b"," * 100 + b"\n"
    (text,) = problems(data, "rows.csv", limits=Limits(dataset_bytes=MIB, row_bytes=600))
    assert text.startswith("line 2: is longer than 600 bytes")


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_of_spaces_holds_no_rows(name: str) -> None:
    assert len(problems(b" \n \n" * 5000, name)) == 1


def test_too_many_columns_are_refused() -> None:
    (text,) = problems(jsonl([json.dumps({"text": "a", **{f"c{index}": 1 for index in range(256)}})]))
    assert text == "line 1: 'c255' is column 257; put the rest into an object or leave it out"


def test_a_long_column_name_is_refused() -> None:
    (text,) = problems(jsonl([json.dumps({"text": "a", "n" * 129: 1})]))
    assert "longer than 128 bytes" in text and len(text) < 200


def test_rows_of_many_shapes_are_counted_right() -> None:
    # More shapes than are held at once.
    rows = [{"text": "a", **{f"c{bit}": 1 for bit in range(12) if index >> bit & 1}} for index in range(4096)]
    columns = read(jsonl([json.dumps(row) for row in rows]))[0].columns
    assert {column.name: column.value_count for column in columns} == {"text": 4096, **{f"c{bit}": 2048 for bit in range(12)}}
