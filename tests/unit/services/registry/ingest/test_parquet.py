"""Parquet: real files, and files that are made to hurt."""

import datetime
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tunesmith.registry.v1 import dataset_pb2

from services.registry.ingest.intake import Limits
from tests.unit.services.registry.ingest.reading import MIB, problems, read, refusal


def file_of(table: pa.Table | dict[str, Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table if isinstance(table, pa.Table) else pa.table(table), buffer, **options)
    return buffer.getvalue()


def test_rows_of_lists_and_objects_become_lines() -> None:
    turns = [{"role": "user", "content": "ä?"}, {"role": "assistant", "content": "ja"}]
    day = datetime.datetime(2026, 11, 21, 4, 30)
    data = file_of({"messages": [turns] * 600, "n": list(range(600)), "when": [day] * 600, "score": [float("nan")] * 600})
    dataset, stored = read(data, "rows.parquet", piece_bytes=1000)
    lines = stored.splitlines()
    assert (dataset.format, dataset.row_count, len(lines)) == (dataset_pb2.DATASET_FORMAT_MESSAGES, 600, 600)
    assert json.loads(lines[599]) == {"messages": turns, "n": 599, "when": "2026-11-21T04:30:00", "score": None}
    assert {column.name: column.value_count for column in dataset.columns} == {"messages": 600, "n": 600, "when": 600, "score": 0}


def test_a_bad_row_is_named_by_its_number() -> None:
    rows = [{"text": "a"}] * 16 + [{"text": None}] + [{"text": "a"}]
    assert problems(file_of(pa.Table.from_pylist(rows)), "rows.parquet") == [
        "row 17: has no text; rows of this dataset need text"
    ]


def test_a_column_json_has_no_type_for_is_named() -> None:
    (text,) = problems(file_of({"text": ["a"], "raw": pa.array([b"\x00"])}), "rows.parquet")
    assert text.startswith("column raw holds binary")
    inside = pa.array([{"bytes": b"\x00", "path": "a.png"}])
    (text,) = problems(file_of({"image": inside, "label": ["cat"]}), "rows.parquet")
    assert text.startswith("column image.bytes holds binary")


def test_a_column_twice_is_named() -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    assert problems(file_of(table), "rows.parquet") == ["the Parquet file has the column 'text' twice; rename one"]


def test_text_that_is_no_utf8_is_refused() -> None:
    (text,) = problems(file_of({"text": pa.array([b"\xff"]).view(pa.string())}), "rows.parquet")
    assert "cannot be read" in text


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused(keep: float) -> None:
    whole = file_of({"text": [f"row {index}" for index in range(1000)]})
    (text,) = problems(whole[: int(len(whole) * keep)], "rows.parquet")
    assert "the Parquet file cannot be read" in text and text.endswith("write it again")


def test_a_page_that_unpacks_to_hundreds_of_times_its_size_is_refused() -> None:
    bomb = file_of({"text": ["x" * MIB] * 80}, compression="zstd", use_dictionary=False)
    assert len(bomb) < MIB
    # Nothing is unpacked before the promise is looked at: its pages are not even compressed text any more.
    bomb = b"PAR1" + b"\0" * 2000 + bomb[2004:]
    (text,) = problems(bomb, "rows.parquet", limits=Limits(dataset_bytes=1024 * MIB, row_bytes=16 * MIB))
    assert "unpacks to more than 200 times its size" in text


def test_a_value_repeated_without_end_is_refused() -> None:
    # A dictionary stores it once, so that the file's own sizes promise nothing unusual.
    bomb = file_of({"text": pa.array(["x" * 100_000] * 1000).dictionary_encode()})
    assert len(bomb) < MIB and parquet.ParquetFile(io.BytesIO(bomb)).metadata.row_group(0).total_byte_size < MIB
    (text,) = problems(bomb, "rows.parquet", limits=Limits(dataset_bytes=1024 * MIB, row_bytes=16 * MIB))
    assert "unpacks to more than 200 times its size" in text


def test_rows_that_unpack_past_the_limit_are_refused() -> None:
    data = file_of({"text": ["x" * 100_000] * 40})
    error = refusal(data, "rows.parquet", limits=Limits(dataset_bytes=MIB, row_bytes=MIB))
    assert getattr(error, "reason", None) == "DATASET_TOO_LARGE"
