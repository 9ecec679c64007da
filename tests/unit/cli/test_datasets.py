"""`tunesmith datasets`."""

import json
from pathlib import Path

import pytest
from google.protobuf.struct_pb2 import Struct
from tunesmith.registry.v1 import dataset_pb2

from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run

MIB = 1024 * 1024


@pytest.fixture
def dataset(plane: FakeControlPlane) -> dataset_pb2.Dataset:
    dataset = dataset_pb2.Dataset(
        id="d1", display_name="rows", version=2, format=dataset_pb2.DATASET_FORMAT_ALPACA, row_count=1200, size_bytes=34_000
    )
    plane.datasets.append(dataset)
    return dataset


def test_a_file_goes_in_pieces_and_its_parameters_with_the_first(
    run: Run, plane: FakeControlPlane, dataset: object, tmp_path: Path
) -> None:
    content = bytes(range(256)) * (10 * 1024) + b"end"
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    result = run("datasets", "upload", str(file), "--name", "Rows", "--format", "alpaca")
    assert result.exit_code == 0
    assert b"".join(request.data.data for request in plane.requests) == content
    assert [len(request.data.data) for request in plane.requests] == [MIB, MIB, len(content) - 2 * MIB]
    first, *others = plane.requests
    assert (first.filename, first.display_name, first.format) == ("rows.jsonl", "Rows", dataset_pb2.DATASET_FORMAT_ALPACA)
    assert first.request_id
    assert all(not other.filename and not other.request_id for other in others)
    assert "1,200" in result.stdout


def test_an_empty_file_is_the_server_s_to_refuse(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    plane.refuse_fields(("data", "the file is empty; upload one with rows"))
    result = run("datasets", "upload", str(tmp_path / "empty.jsonl"))
    assert result.exit_code == 2
    assert result.stderr == "error: data: the file is empty; upload one with rows\n"


def test_a_refusal_while_the_file_is_still_going(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"x" * (20 * MIB))
    plane.refuse_fields(("data", "line 3: is no JSON"))
    result = run("datasets", "upload", str(tmp_path / "rows.jsonl"))
    assert result.exit_code == 2
    assert "line 3: is no JSON" in result.stderr


def test_a_file_that_is_not_there(run: Run, plane: FakeControlPlane) -> None:
    assert run("datasets", "upload", "nowhere.jsonl").exit_code == 2
    assert plane.requests == []


def test_a_format_nobody_knows_gets_the_nearest(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").touch()
    result = run("datasets", "upload", str(tmp_path / "rows.jsonl"), "--format", "alpacca")
    assert result.exit_code == 2
    assert "did you mean alpaca?" in result.stderr
    assert plane.requests == []


def test_list_and_get(run: Run, plane: FakeControlPlane, dataset: object) -> None:
    assert run("datasets", "list", "--format", "DATASET_FORMAT_ALPACA").stdout.splitlines()[1].split() == [
        *("d1", "rows", "2", "alpaca", "1,200", "34", "kB")
    ]
    assert plane.requests[0].format == dataset_pb2.DATASET_FORMAT_ALPACA
    assert "alpaca" in run("datasets", "get", "d1").stdout


def test_a_preview_cuts_for_people_and_not_for_programs(run: Run, plane: FakeControlPlane) -> None:
    row = Struct()
    row.update({"instruction": "x" * 1000, "tags": ["a", "b"]})
    plane.preview.rows.append(row)
    shown = run("datasets", "preview", "d1", "--rows", "1").stdout
    assert "x" * 300 + "…" in shown
    assert '["a", "b"]' in shown
    assert plane.requests[0].row_count == 1
    [whole] = json.loads(run("datasets", "preview", "d1", "-o", "json").stdout)["rows"]
    assert whole["instruction"] == "x" * 1000
