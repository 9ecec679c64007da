"""A preview is small whatever the rows are."""

import json
from pathlib import Path

from google.protobuf import json_format

from services.registry.preview import preview

MIB = 1024 * 1024


def previewed(path: Path, rows: list[dict], count: int) -> list[dict]:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return [json_format.MessageToDict(row) for row in preview(path, count)]


def test_rows_are_shown_as_they_are(tmp_path: Path) -> None:
    rows = [{"text": "ä" * 5000, "n": 1.5, "b": True, "none": None, "l": [1, {"x": []}]}, {"text": ""}]
    assert previewed(tmp_path / "rows", rows, 5) == rows
    assert previewed(tmp_path / "rows", rows, 1) == rows[:1]


def test_rows_of_megabytes_are_fewer(tmp_path: Path) -> None:
    rows = [{"text": "a" * MIB, "n": index} for index in range(10)]
    assert previewed(tmp_path / "rows", rows, 10) == rows[:3]


def test_a_first_row_that_is_too_large_alone_is_shortened(tmp_path: Path) -> None:
    row = {"text": "a" * 3 * MIB, "list": list(range(10**6)), "object": {str(index): index for index in range(10**5)}}
    (shown,) = previewed(tmp_path / "rows", [row, row], 10)
    assert shown["text"] == "a" * 1000 + "… (3145728 characters)"
    assert (len(shown["list"]), len(shown["object"])) == (100, 100)
