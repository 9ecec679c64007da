"""Which format rows are of, and what each format asks of every row."""

import json
from pathlib import Path
from typing import Any

import pytest
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.dataset_columns import REQUIRED_COLUMNS
from services.registry.ingest.formats import CHECKS
from tests.conftest import FOREIGN_DATA
from tests.unit.services.registry.ingest.pictures import DOT
from tests.unit.services.registry.ingest.reading import broken_at_17, jsonl, problems, read

CHAT_DATA = Path(__file__).parents[6] / "shared" / "data" / "chat"

USER, ASSISTANT = {"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}
HUMAN, GPT = {"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}

GOOD: dict[str, list[dict[str, Any]]] = {
    "MESSAGES": [
        {"messages": [USER, ASSISTANT]},
        {"messages": [{"role": "system", "content": ""}, USER, ASSISTANT, {"role": "tool", "content": "x"}], "text": "beside"},
    ],
    "TEXT": [{"text": "a"}, {"text": "", "more": 1}],
    "TEXT_LABEL": [{"text": "a", "label": "cat"}, {"text": "", "label": 3, "more": 1}],
    "PROMPT_COMPLETION": [{"prompt": "a", "completion": "b"}],
    "ALPACA": [
        {"instruction": "a", "output": "b"},
        {"instruction": "a", "output": "b", "input": None, "system": "c", "history": []},
    ],
    "SHAREGPT": [
        {"conversations": [HUMAN, GPT], "system": "a"},
        {"conversations": [{"from": "system", "value": ""}, HUMAN, GPT]},
    ],
    "PREFERENCE": [
        {"chosen": "a", "rejected": "b"},
        {"prompt": "?", "chosen": "a", "rejected": "b"},
        {"chosen": [USER, ASSISTANT], "rejected": [USER, ASSISTANT]},
        {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [ASSISTANT]},
        {"conversations": [HUMAN], "chosen": GPT, "rejected": GPT},
    ],
    "IMAGE_LABEL": [{"image": DOT, "label": "cat"}, {"image": DOT, "label": 3}],
    "IMAGE_CAPTION": [{"image": DOT, "caption": "a cat"}],
    "INTERACTIONS": [{"user_id": 1, "item_id": "b"}, {"user_id": 1, "item_id": 2, "rating": 3.5, "timestamp": "2026"}],
}


def test_every_format_has_columns_a_check_and_cases() -> None:
    formats = set(dataset_pb2.DatasetFormat.values()) - {dataset_pb2.DATASET_FORMAT_UNSPECIFIED}
    assert len(formats) == 10
    assert set(REQUIRED_COLUMNS) == set(CHECKS) == formats
    assert {dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{name}") for name in GOOD} == formats


@pytest.mark.parametrize("name", GOOD)
def test_the_format_is_detected_and_good_rows_fit(name: str) -> None:
    for first in GOOD[name]:
        dataset, _ = read(jsonl([json.dumps(row) for row in (first, *GOOD[name])]))
        assert dataset_pb2.DatasetFormat.Name(dataset.format) == f"DATASET_FORMAT_{name}"


BAD: dict[str, list[tuple[dict[str, Any], str]]] = {
    "MESSAGES": [
        ({"messages": None}, "has no messages"),
        ({"messages": []}, "must be a list of at least one {role, content}"),
        ({"messages": "hi"}, "must be a list"),
        ({"messages": ["hi"]}, "messages[0] must be an object with role and content, and is text"),
        ({"messages": [USER]}, "has no turn of the assistant"),
        ({"messages": [{"role": "bot", "content": "a"}, ASSISTANT]}, "messages[0].role is 'bot'; use one of system, user"),
        ({"messages": [{"content": "a"}, ASSISTANT]}, "messages[0].role is missing or null"),
        ({"messages": [{"role": ["user"], "content": "a"}, ASSISTANT]}, "messages[0].role is a list"),
        (
            {"messages": [USER, {"role": "assistant", "content": []}]},
            "messages[1].content must be text, and is a list",
        ),
        ({"messages": [USER, {"role": "assistant"}]}, "messages[1].content must be text, and is missing or null"),
    ],
    "TEXT": [({"text": 1}, "text must be text, and is a number"), ({"other": "a"}, "has no text")],
    "TEXT_LABEL": [
        ({"text": "a", "label": 1.5}, "label must be text or a whole number, and is a number"),
        ({"text": ["a"], "label": 1}, "text must be text, and is a list"),
        ({"text": "a"}, "has no label; rows of this dataset need text and label"),
    ],
    "PROMPT_COMPLETION": [
        ({"prompt": "a"}, "has no completion; rows of this dataset need prompt and completion"),
        ({"prompt": ["a"], "completion": "b"}, "prompt must be text, and is a list"),
    ],
    "ALPACA": [
        ({"instruction": "a", "output": {}}, "output must be text, and is an object"),
        ({"instruction": "a", "output": "b", "input": 1}, "input must be text or null, and is a number"),
    ],
    "SHAREGPT": [
        ({"conversations": [HUMAN]}, "has no turn of the assistant"),
        ({"conversations": [{"from": "me", "value": "a"}, GPT]}, "conversations[0].from is 'me'"),
        ({"conversations": [{"from": "human", "value": None}, GPT]}, "conversations[0].value must be text"),
    ],
    "PREFERENCE": [
        ({"chosen": "a"}, "has no rejected"),
        ({"chosen": "a", "rejected": [ASSISTANT]}, "they are text and a list"),
        ({"chosen": 1, "rejected": 2}, "they are a number and a number"),
        ({"chosen": [USER], "rejected": [ASSISTANT]}, "chosen has no turn of the assistant"),
        ({"chosen": [ASSISTANT], "rejected": []}, "rejected must be a list of at least one"),
        ({"prompt": 1, "chosen": "a", "rejected": "b"}, "prompt must be a list"),
        ({"chosen": GPT, "rejected": GPT}, "has no conversations before chosen"),
        ({"conversations": [HUMAN], "chosen": HUMAN, "rejected": GPT}, "chosen.from is 'human'; use one of assistant, gpt"),
    ],
    "IMAGE_LABEL": [
        ({"image": "a", "label": True}, "label must be text or a whole number, and is true or false"),
        ({"image": {}, "label": 1}, "image must be text"),
        ({"image": "cat/1.png", "label": 1}, "image is 'cat/1.png' and must be a data URI"),
        ({"image": "data:image/svg;base64,PHN2Zz4=", "label": 1}, "image is image/svg; use one of image/png"),
        ({"image": DOT.replace("png", "jpeg"), "label": 1}, "image is named image/jpeg and holds image/png"),
        ({"image": DOT + "!", "label": 1}, "image is not valid base64"),
        ({"image": DOT[:-24], "label": 1}, "image is cut off"),
    ],
    "IMAGE_CAPTION": [
        ({"image": DOT, "caption": ["b"]}, "caption must be text"),
        ({"image": "a", "caption": "b"}, "image is 'a' and must be a data URI"),
    ],
    "INTERACTIONS": [
        ({"user_id": 1.5, "item_id": 1}, "user_id must be text or a whole number"),
        ({"user_id": 1, "item_id": 1, "rating": "5"}, "rating must be a number or null, and is text"),
        ({"user_id": 1, "item_id": 1, "timestamp": []}, "timestamp must be a number or text"),
    ],
}


@pytest.mark.parametrize(("name", "index"), [(name, index) for name, cases in BAD.items() for index in range(len(cases))])
def test_a_row_that_does_not_fit_is_named_with_the_fix(name: str, index: int) -> None:
    row, expected = BAD[name][index]
    (text,) = problems(broken_at_17(json.dumps(row), json.dumps(GOOD[name][0])))
    assert text.startswith("line 17: ") and expected in text


def test_every_format_has_a_bad_case() -> None:
    assert set(BAD) == set(GOOD)


def test_what_the_uploader_says_goes_before_what_the_columns_say() -> None:
    row = json.dumps({"messages": [USER, ASSISTANT], "text": "a"})
    assert read(jsonl([row]), declared=dataset_pb2.DATASET_FORMAT_TEXT)[0].format == dataset_pb2.DATASET_FORMAT_TEXT
    (text,) = problems(jsonl([row]), declared=dataset_pb2.DATASET_FORMAT_ALPACA)
    assert text == "line 1: has no instruction; rows of this dataset need instruction and output"


def test_columns_that_fit_no_format_are_shown_with_those_that_would() -> None:
    text = problems(jsonl(['{"question": "a", "answer": "b"}']))[0]
    assert text.startswith("line 1: has the columns 'question', 'answer', which fit no format")
    assert "instruction, output" in text and "prompt, completion" in text


SHARED = {
    "alpaca_en_demo.json": (dataset_pb2.DATASET_FORMAT_ALPACA, 999),
    "identity.json": (dataset_pb2.DATASET_FORMAT_ALPACA, 91),
    "dpo_en_demo.json": (dataset_pb2.DATASET_FORMAT_PREFERENCE, 300),
}


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("piece_bytes", [1000, 1024 * 1024])
def test_files_from_the_wild_are_read(name: str, piece_bytes: int) -> None:
    path = CHAT_DATA / name
    if not path.exists():
        pytest.skip(f"{FOREIGN_DATA}{path.name} is not beside this checkout")
    dataset, _ = read(path.read_bytes(), name, piece_bytes=piece_bytes)
    assert (dataset.format, dataset.row_count) == SHARED[name]
