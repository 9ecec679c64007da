"""Rows as stored become rows as trl reads them, and a bad one is named by its line."""

import json
from pathlib import Path
from typing import Any

import pytest
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.errors import InvalidArgument
from workers.providers.local_datasets import SHAPES
from workers.training.rows import CONVERTERS, read_rows

MESSAGES = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def read(tmp_path: Path, name: str, *rows: Any) -> list[dict[str, Any]]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return read_rows(path, dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{name}"), "datasets.training_file_id")


def test_every_format_that_is_not_refused_is_read() -> None:
    assert len(CONVERTERS) == 5
    assert set(CONVERTERS) == set(SHAPES)


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("TEXT", {"text": "Hi", "source": "web"}, {"text": "Hi"}),
        ("PROMPT_COMPLETION", {"prompt": "Hi", "completion": "Hello"}, {"prompt": "Hi", "completion": "Hello"}),
        (
            "PROMPT_COMPLETION",
            {"prompt": MESSAGES[:1], "completion": MESSAGES[1:]},
            {"prompt": MESSAGES[:1], "completion": MESSAGES[1:]},
        ),
        ("MESSAGES", {"messages": MESSAGES, "id": 4}, {"messages": MESSAGES}),
        ("MESSAGES", {"messages": MESSAGES, "tools": "[]"}, {"messages": MESSAGES, "tools": "[]"}),
        (
            "SHAREGPT",
            {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
            {"messages": MESSAGES},
        ),
        (
            "SHAREGPT",
            {"system": "Be kind", "conversations": [{"from": "human", "value": "Hi"}]},
            {"messages": [{"role": "system", "content": "Be kind"}, MESSAGES[0]]},
        ),
    ],
)
def test_a_row_becomes_what_trl_reads(tmp_path: Path, name: str, row: Any, expected: Any) -> None:
    assert read(tmp_path, name, row) == [expected]


def test_an_instruction_becomes_the_usual_prompt(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        "ALPACA",
        {"instruction": "Add.", "input": "1 and 2", "output": "3"},
        {"instruction": "Greet.", "input": "", "output": "Hello"},
        {"instruction": "Greet.", "output": "Ahoy", "system": "You are a pirate."},
    )
    assert rows == [
        {
            "prompt": "Below is an instruction that describes a task, paired with an input that provides further context. "
            "Write a response that appropriately completes the request.\n\n"
            "### Instruction:\nAdd.\n\n### Input:\n1 and 2\n\n### Response:\n",
            "completion": "3",
        },
        {
            "prompt": "Below is an instruction that describes a task. Write a response that appropriately completes the request."
            "\n\n### Instruction:\nGreet.\n\n### Response:\n",
            "completion": "Hello",
        },
        {"prompt": "You are a pirate.\n\n### Instruction:\nGreet.\n\n### Response:\n", "completion": "Ahoy"},
    ]


@pytest.mark.parametrize(
    ("name", "row", "word"),
    [
        ("TEXT", {"text": None}, "text is not text"),
        ("TEXT", "{broken", "line 2"),
        ("TEXT", "[1]", "text is not text"),
        ("ALPACA", {"instruction": "Add."}, "output is not text"),
        ("MESSAGES", {"messages": []}, "messages is not a list"),
        ("MESSAGES", {"messages": ["Hi"]}, "message with a role"),
        ("SHAREGPT", {"conversations": [{"from": "narrator", "value": "Once"}]}, "'narrator'"),
        ("SHAREGPT", {"conversations": [{"from": "gpt"}]}, "a turn is not"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, name: str, row: Any, word: str) -> None:
    good = {
        "TEXT": {"text": "Hi"},
        "ALPACA": {"instruction": "Add.", "output": "3"},
        "MESSAGES": {"messages": MESSAGES},
        "SHAREGPT": {"conversations": [{"from": "gpt", "value": "Hello"}]},
    }[name]
    with pytest.raises(InvalidArgument) as failure:
        read(tmp_path, name, good, row)
    assert failure.value.violations[0][0] == "datasets.training_file_id"
    assert "line 2" in failure.value.message
    assert word in failure.value.message
    assert "upload the dataset again" in failure.value.message


def test_blank_lines_count_but_are_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "TEXT", "", {"text": "Hi"}, "") == [{"text": "Hi"}]
    with pytest.raises(InvalidArgument, match="line 3"):
        read(tmp_path, "TEXT", "", "", {"text": 1})


def test_a_dataset_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="no rows"):
        read(tmp_path, "TEXT")
