"""`tunesmith datasets`."""

import json
from pathlib import Path

import pytest
from google.protobuf.struct_pb2 import Struct
from tunesmith.registry.v1 import dataset_pb2, dataset_statistics_pb2
from tunesmith.registry.v1 import registry_service_pb2 as registry

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


def test_a_list_is_searched_and_an_empty_one_says_what_to_do(run: Run, plane: FakeControlPlane) -> None:
    result = run("datasets", "list", "--search", "sums")
    assert plane.requests[0].search == "sums"
    assert result.stderr == "no such datasets; leave out --search and --format for all of them\n"
    assert "datasets upload" in run("datasets", "list").stderr


def test_versions_of_a_name(run: Run, plane: FakeControlPlane, dataset: object) -> None:
    assert "d1" in run("datasets", "versions", "rows").stdout
    assert (plane.requests[0].display_name, plane.requests[0].search) == ("rows", "")
    plane.datasets.clear()
    assert "nothing is called other" in run("datasets", "versions", "other").stderr


def test_a_dataset_is_shown_with_where_it_comes_from_and_whether_it_is_whole(
    run: Run, plane: FakeControlPlane, dataset: dataset_pb2.Dataset
) -> None:
    dataset.parent_id, dataset.description, dataset.estimated_token_count = "d0", "Sums", 24_158_809
    dataset.integrity.status = dataset_pb2.INTEGRITY_STATUS_VERIFIED
    shown = {line.split("  ")[0]: line for line in run("datasets", "show", "d1").stdout.splitlines()}
    assert "d0" in shown["converted from"] and "Sums" in shown["description"]
    assert "about 24.2 M" in shown["tokens"] and "verified" in shown["integrity"]
    assert run("datasets", "get", "d1").stdout == run("datasets", "show", "d1").stdout


@pytest.fixture
def statistics(plane: FakeControlPlane) -> dataset_statistics_pb2.DatasetStatistics:
    counted = plane.statistics
    counted.row_count, counted.sampled_row_count, counted.duplicate_row_count = 100_000, 10_000, 9
    counted.token_count, counted.mean_tokens, counted.median_tokens = 24_000_000, 240.4, 189
    counted.p95_tokens, counted.p99_tokens, counted.max_tokens = 544, 669, 772
    counted.empty_value_counts.update({"note": 2, "input": 58_862})
    counted.role_counts.update({"user": 5, "assistant": 10})
    counted.mean_turns, counted.tokenizer_base_model_id = 2.5, "m1"
    for lower, upper, rows in ((0, 50, 4000), (50, 100, 1), (100, 773, 8000)):
        counted.token_histogram.add(lower=lower, upper=upper, row_count=rows)
    return counted


def test_statistics_are_figures_and_bars(run: Run, plane: FakeControlPlane, statistics: object) -> None:
    result = run("datasets", "stats", "d1", "--model", "me/llama")
    assert (plane.requests[0].id, plane.requests[0].base_model) == ("d1", "me/llama")
    for expected in (
        "equal to an earlier row  9",
        "input 58,862, note 2",
        "2.5 a row: assistant 10, user 5",
        "mean 240, median 189",
        "10,000 rows drawn from 100,000",
        "m1",
    ):
        assert expected in result.stdout
    bars = {line.split("  ")[0]: line.count("█") for line in result.stdout.splitlines() if "█" in line or "▏" in line}
    assert bars == {"0 to 49": 20, "50 to 99": 0, "100 to 772": 40}
    assert "not on the server" not in result.stderr


def test_statistics_without_a_tokenizer_say_so(run: Run, plane: FakeControlPlane, statistics: object) -> None:
    plane.statistics.tokenizer_base_model_id = ""
    result = run("datasets", "stats", "d1", "--model", "me/llama")
    assert "the tokenizer of me/llama is not on the server, so tokens are estimated" in result.stderr
    assert "estimated at one token every four bytes" in result.stdout
    answer = json.loads(run("datasets", "stats", "d1", "-o", "json").stdout)
    assert answer["statistics"]["row_count"] == "100000"


def test_a_conversion_says_what_it_left_out(run: Run, plane: FakeControlPlane, dataset: dataset_pb2.Dataset) -> None:
    plane.conversion.dataset.CopyFrom(dataset)
    plane.conversion.skipped_row_count = 1002
    plane.conversion.skipped_rows.append("line 2: has a system prompt")
    result = run("datasets", "convert", "d1", "--to", "chatml-text", "--name", "Chat", "--skip-unfit")
    assert result.exit_code == 0 and "rows" in result.stdout
    assert result.stderr.splitlines() == ["left out: line 2: has a system prompt", "left out: 1,001 more"]
    (request,) = plane.requests
    assert (request.target, request.display_name) == (registry.CONVERSION_TARGET_CHATML_TEXT, "Chat")
    assert request.skip_unfit_rows and request.request_id
    result = run("datasets", "convert", "d1", "--to", "alpacca")
    assert result.exit_code == 2 and "did you mean alpaca?" in result.stderr


def test_verifying_tells_a_script_too(run: Run, plane: FakeControlPlane, dataset: dataset_pb2.Dataset) -> None:
    dataset.integrity.status = dataset_pb2.INTEGRITY_STATUS_VERIFIED
    assert run("datasets", "verify", "d1").exit_code == 0
    dataset.integrity.status = dataset_pb2.INTEGRITY_STATUS_FAILED
    dataset.integrity.message = "its rows have 1 byte; upload the file again"
    result = run("datasets", "verify", "d1")
    assert result.exit_code == 1
    assert "failed: its rows have 1 byte; upload the file again" in result.stdout


def test_a_dataset_is_described_and_deleted(run: Run, plane: FakeControlPlane, dataset: object) -> None:
    assert run("datasets", "describe", "d1", "").exit_code == 0
    assert plane.requests[0].HasField("description") and plane.requests[0].description == ""
    result = run("datasets", "delete", "d1")
    assert (plane.requests[1].id, result.exit_code) == ("d1", 0)
    assert "d1 is off the list" in result.stderr
