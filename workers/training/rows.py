"""A dataset's rows, as stored, to the rows that trl reads."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tunesmith.registry.v1 import dataset_pb2

from services.chassis.errors import InvalidArgument

Row = dict[str, Any]

ALPACA_PREAMBLE = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
ALPACA_PREAMBLE_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request."
)
SHAREGPT_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    "observation": "tool",
}


class RowError(ValueError):
    """A row lacks what its format promises; the message says what."""


def read_rows(path: Path, dataset_format: dataset_pb2.DatasetFormat, field_path: str) -> list[Row]:
    """The rows of a file as trl reads them. Raises InvalidArgument with the field path and the line of the first bad row."""
    convert = CONVERTERS[dataset_format]
    rows = []
    for number, line in _lines(path):
        try:
            rows.append(convert(json.loads(line)))
        except (RowError, json.JSONDecodeError) as error:
            text = f"line {number} can't be trained on: {error}; correct the row and upload the dataset again"
            raise InvalidArgument([(field_path, text)]) from error
    if not rows:
        raise InvalidArgument([(field_path, "the dataset has no rows; upload one that has")])
    return rows


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


def _text(row: Row) -> Row:
    return {"text": _string(row, "text")}


def _prompt_completion(row: Row) -> Row:
    prompt, completion = row.get("prompt"), row.get("completion")
    if isinstance(prompt, list) and isinstance(completion, list):
        return {"prompt": _turns(prompt, "prompt"), "completion": _turns(completion, "completion")}
    return {"prompt": _string(row, "prompt"), "completion": _string(row, "completion")}


def _alpaca(row: Row) -> Row:
    instruction, context = _string(row, "instruction"), row.get("input") or ""
    preamble = row.get("system") or (ALPACA_PREAMBLE_WITH_INPUT if context else ALPACA_PREAMBLE)
    middle = f"### Input:\n{context}\n\n" if context else ""
    prompt = f"{preamble}\n\n### Instruction:\n{instruction}\n\n{middle}### Response:\n"
    return {"prompt": prompt, "completion": _string(row, "output")}


def _messages(row: Row) -> Row:
    converted: Row = {"messages": _turns(row.get("messages"), "messages")}
    if row.get("tools"):
        converted["tools"] = row["tools"]
    return converted


def _sharegpt(row: Row) -> Row:
    turns = row.get("conversations")
    if not isinstance(turns, list) or not turns:
        raise RowError("conversations is not a list of turns")
    messages = [_sharegpt_turn(turn) for turn in turns]
    if isinstance(row.get("system"), str) and row["system"] and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": row["system"]})
    return {"messages": messages}


def _sharegpt_turn(turn: Any) -> Row:
    if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
        raise RowError('a turn is not {"from", "value"} with text')
    role = SHAREGPT_ROLES.get(str(turn.get("from")))
    if role is None:
        raise RowError(f"a turn is from {turn.get('from')!r}, which is none of {', '.join(SHAREGPT_ROLES)}")
    return {"role": role, "content": turn["value"]}


def _turns(turns: Any, name: str) -> list[Row]:
    """Messages as they are: a chat template may read more of them than role and content."""
    if not isinstance(turns, list) or not turns:
        raise RowError(f"{name} is not a list of messages")
    for turn in turns:
        if not isinstance(turn, dict) or not isinstance(turn.get("role"), str):
            raise RowError(f"{name} holds something that is not a message with a role")
    return turns


def _string(row: Any, name: str) -> str:
    if not isinstance(row, dict) or not isinstance(row.get(name), str):
        raise RowError(f"{name} is not text")
    return str(row[name])


CONVERTERS: dict[dataset_pb2.DatasetFormat, Callable[[Row], Row]] = {
    dataset_pb2.DATASET_FORMAT_TEXT: _text,
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: _prompt_completion,
    dataset_pb2.DATASET_FORMAT_ALPACA: _alpaca,
    dataset_pb2.DATASET_FORMAT_MESSAGES: _messages,
    dataset_pb2.DATASET_FORMAT_SHAREGPT: _sharegpt,
}
