"""Pairs of answers in every shape that the registry takes, as trl reads them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.errors import InvalidArgument
from services.registry.ingest.formats import check_of
from workers.training.rows import read_rows

PREFERENCE = dataset_pb2.DATASET_FORMAT_PREFERENCE


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def pair(prompt: Any, chosen: Any, rejected: Any) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


ASKED, GOOD, BAD = [user("Hi")], [assistant("Hello")], [assistant("Go away")]
SYSTEM = {"role": "system", "content": "Be kind"}
TOOLS = [{"type": "function", "function": {"name": "greet"}}]
HUMAN = {"from": "human", "value": "Hi"}
ANSWERS = {"chosen": {"from": "gpt", "value": "Hello"}, "rejected": {"from": "gpt", "value": "Go away"}}

ROWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": (pair("Hi. ", "Hello", "Go away"), pair("Hi. ", "Hello", "Go away")),
    "text whose prompt both begin with": (
        {"chosen": "Q: Hi A: Hello", "rejected": "Q: Hi A: Go away"},
        pair("Q: Hi A:", " Hello", " Go away"),
    ),
    "text of which one ends where the other goes on": ({"chosen": "Hi", "rejected": "Hi there"}, pair("Hi", "", " there")),
    "text that has nothing in common": ({"chosen": "Yes", "rejected": "No"}, pair("", "Yes", "No")),
    "answers in text to turns": (pair(ASKED, "Hello", "Go away"), pair(ASKED, GOOD, BAD)),
    "answers in text to a conversation": (
        {"conversations": [HUMAN], "chosen": "Hello", "rejected": "Go away"},
        pair(ASKED, GOOD, BAD),
    ),
    "turns": (pair(ASKED, GOOD, BAD), pair(ASKED, GOOD, BAD)),
    "turns to a text": (pair("Hi", GOOD, BAD), pair(ASKED, GOOD, BAD)),
    "turns whose prompt both begin with": (
        {"chosen": [SYSTEM, *ASKED, *GOOD], "rejected": [SYSTEM, *ASKED, *BAD]},
        pair([SYSTEM, *ASKED], GOOD, BAD),
    ),
    "turns that repeat the prompt's turns": (pair(ASKED, [*ASKED, *GOOD], [*ASKED, *BAD]), pair(ASKED, GOOD, BAD)),
    "turns that repeat the prompt's text": (
        pair("Hi", [SYSTEM, *ASKED, *GOOD], [SYSTEM, *ASKED, *BAD]),
        pair([SYSTEM, *ASKED], GOOD, BAD),
    ),
    "turns that go on behind the prompt": (
        pair([SYSTEM], [*ASKED, *GOOD], [*ASKED, *BAD]),
        pair([SYSTEM, *ASKED], GOOD, BAD),
    ),
    "turns that part early": (
        pair(ASKED, [*GOOD, user("And?"), assistant("Well")], [*BAD, user("And?"), assistant("No")]),
        pair(ASKED, [*GOOD, user("And?"), assistant("Well")], [*BAD, user("And?"), assistant("No")]),
    ),
    "turns that never part": (pair(ASKED, GOOD, GOOD), pair(ASKED, GOOD, GOOD)),
    "ShareGPT": ({"conversations": [HUMAN], **ANSWERS}, pair(ASKED, GOOD, BAD)),
    "ShareGPT with a system prompt beside it": (
        {"system": "Be kind", "conversations": [HUMAN], **ANSWERS},
        pair([SYSTEM, *ASKED], GOOD, BAD),
    ),
    "with tools": ({**pair(ASKED, GOOD, BAD), "tools": json.dumps(TOOLS)}, {**pair(ASKED, GOOD, BAD), "tools": TOOLS}),
}


def read(tmp_path: Path, *rows: Any) -> list[dict[str, Any]]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_rows(path, PREFERENCE, "datasets.training_file_id")


def test_the_shapes_are_these() -> None:
    assert len(ROWS) == 17


@pytest.mark.parametrize("name", ROWS)
def test_a_pair_that_the_registry_takes_becomes_what_trl_reads(name: str, tmp_path: Path) -> None:
    row, expected = ROWS[name]
    assert check_of(PREFERENCE)(row) is None
    assert read(tmp_path, row) == [expected]


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"chosen": "Hello"}, "not both text"),
        (pair("Hi", "Hello", BAD), "not both text"),
        (pair("Hi", [], BAD), "chosen is not a list"),
        (pair(3, "Hello", "Go away"), "prompt is not a list"),
        ({**ANSWERS}, "nothing is asked"),
        ({"chosen": GOOD, "rejected": BAD}, "nothing is asked"),
        ({"conversations": [HUMAN], "chosen": {"from": "gpt"}, "rejected": ANSWERS["rejected"]}, "a turn is not"),
        ([1], "not both text"),
    ],
)
def test_a_bad_pair_is_named_by_its_line(row: Any, word: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument) as failure:
        read(tmp_path, pair("Hi", "Hello", "Go away"), row)
    assert "line 2" in failure.value.message and word in failure.value.message
