"""Rows as stored become rows as trl reads them, and a bad one is named by its line."""

import json
from pathlib import Path
from typing import Any

import pytest
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.errors import InvalidArgument
from workers.providers.local.datasets import SHAPES
from workers.training.rows import CONVERTERS, RowError, read_rows

MESSAGES = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def read(tmp_path: Path, name: str, *rows: Any) -> list[dict[str, Any]]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return read_rows(path, dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{name}"), "datasets.training_file_id")


def test_every_format_that_is_not_refused_is_read() -> None:
    assert len(CONVERTERS) == 9
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
        ("MESSAGES", {"messages": MESSAGES, "tools": "[]"}, {"messages": MESSAGES}),
        ("MESSAGES", {"messages": MESSAGES, "tools": '[{"name": "add"}]'}, {"messages": MESSAGES, "tools": [{"name": "add"}]}),
        (
            "PROMPT_COMPLETION",
            {"prompt": MESSAGES[:1], "completion": MESSAGES[1:], "tools": [{"name": "add"}]},
            {"prompt": MESSAGES[:1], "completion": MESSAGES[1:], "tools": [{"name": "add"}]},
        ),
        (
            "SHAREGPT",
            {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
            {"messages": MESSAGES},
        ),
        (
            "SHAREGPT",
            {
                "conversations": [
                    {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'},
                    {"from": "function", "value": "3"},
                ]
            },
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": "",
                        "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}],
                    },
                    {"role": "tool", "content": "3"},
                ]
            },
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
        ("SHAREGPT", {"conversations": [{"from": "function_call", "value": "add"}]}, "a function_call is not"),
        ("MESSAGES", {"messages": MESSAGES, "tools": "add"}, "tools is not JSON"),
        ("MESSAGES", {"messages": MESSAGES, "tools": {"name": "add"}}, "tools is not a list"),
        (
            "PROMPT_COMPLETION",
            {"prompt": MESSAGES[:1], "completion": MESSAGES[1:]},
            "prompt holds messages, and in the first row",
        ),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, name: str, row: Any, word: str) -> None:
    good = {
        "TEXT": {"text": "Hi"},
        "ALPACA": {"instruction": "Add.", "output": "3"},
        "MESSAGES": {"messages": MESSAGES},
        "SHAREGPT": {"conversations": [{"from": "gpt", "value": "Hello"}]},
        "PROMPT_COMPLETION": {"prompt": "Hi", "completion": "Hello"},
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


@pytest.mark.parametrize(("label", "expected"), [("cat", "cat"), (3, "3"), (-1, "-1")])
def test_labels_are_text_or_whole_numbers(label: object, expected: str) -> None:
    assert CONVERTERS[dataset_pb2.DATASET_FORMAT_TEXT_LABEL]({"text": "a", "label": label, "id": 1}) == {
        "text": "a",
        "label": expected,
    }
    assert CONVERTERS[dataset_pb2.DATASET_FORMAT_IMAGE_LABEL]({"image": "x", "label": label})["label"] == expected


@pytest.mark.parametrize("label", [True, 1.5, None, ["cat"]])
def test_other_labels_are_refused(label: object) -> None:
    with pytest.raises(RowError, match="neither text nor a whole number"):
        CONVERTERS[dataset_pb2.DATASET_FORMAT_TEXT_LABEL]({"text": "a", "label": label})


def test_a_caption_answers_a_question() -> None:
    convert = CONVERTERS[dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION]
    assert convert({"image": "x", "caption": "a cat"}) == {
        "image": "x",
        "prompt": [{"role": "user", "content": "Describe the picture."}],
        "completion": [{"role": "assistant", "content": "a cat"}],
    }
    assert convert({"image": "x", "caption": "a cat", "prompt": "Who?"})["prompt"][0]["content"] == "Who?"
