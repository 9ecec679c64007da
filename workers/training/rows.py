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
# What is asked of a picture whose row has no prompt of its own.
CAPTION_QUESTION = "Describe the picture."
SHAREGPT_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    "observation": "tool",
    "function": "tool",
}
# A turn of ShareGPT that is a call, as JSON.
_CALL = "function_call"


class RowError(ValueError):
    """A row lacks what its format promises; the message says what."""


def read_rows(path: Path, dataset_format: dataset_pb2.DatasetFormat, field_path: str) -> list[Row]:
    """The rows of a file as trl reads them. Raises InvalidArgument with the field path and the line of the first bad row."""
    convert = CONVERTERS[dataset_format]
    rows = []
    for number, line in _lines(path):
        try:
            rows.append(convert(json.loads(line)))
            _check_kinds(rows[0], rows[-1])
        except (RowError, json.JSONDecodeError) as error:
            text = f"line {number} can't be trained on: {error}; correct the row and upload the dataset again"
            raise InvalidArgument([(field_path, text)]) from error
    if not rows:
        raise InvalidArgument([(field_path, "the dataset has no rows; upload one that has")])
    return rows


def _check_kinds(first: Row, row: Row) -> None:
    """Text and turns are tokenised in different ways, and a run has one of them."""
    for name, value in row.items():
        if name in first and isinstance(value, list) != isinstance(first[name], list):
            kinds = ("messages", "text") if isinstance(value, list) else ("text", "messages")
            raise RowError(f"{name} holds {kinds[0]}, and in the first row it holds {kinds[1]}")


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
        return _with_tools(row, {"prompt": _turns(prompt, "prompt"), "completion": _turns(completion, "completion")})
    return {"prompt": _string(row, "prompt"), "completion": _string(row, "completion")}


def _alpaca(row: Row) -> Row:
    instruction, context = _string(row, "instruction"), row.get("input") or ""
    preamble = row.get("system") or (ALPACA_PREAMBLE_WITH_INPUT if context else ALPACA_PREAMBLE)
    middle = f"### Input:\n{context}\n\n" if context else ""
    prompt = f"{preamble}\n\n### Instruction:\n{instruction}\n\n{middle}### Response:\n"
    return {"prompt": prompt, "completion": _string(row, "output")}


def _messages(row: Row) -> Row:
    return _with_tools(row, {"messages": _turns(row.get("messages"), "messages")})


def _sharegpt(row: Row) -> Row:
    return _with_tools(row, {"messages": _conversation(row)})


def _conversation(row: Row) -> list[Row]:
    turns = row.get("conversations")
    if not isinstance(turns, list) or not turns:
        raise RowError("conversations is not a list of turns")
    messages = [_sharegpt_turn(turn) for turn in turns]
    if isinstance(row.get("system"), str) and row["system"] and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": row["system"]})
    return messages


def _sharegpt_turn(turn: Any) -> Row:
    if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
        raise RowError('a turn is not {"from", "value"} with text')
    if turn.get("from") == _CALL:
        return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": _call(turn["value"])}]}
    role = SHAREGPT_ROLES.get(str(turn.get("from")))
    if role is None:
        raise RowError(f"a turn is from {turn.get('from')!r}, which is none of {', '.join(SHAREGPT_ROLES)}, {_CALL}")
    return {"role": role, "content": turn["value"]}


def _call(value: str) -> Row:
    """A call as chat templates read it."""
    try:
        call = json.loads(value)
    except json.JSONDecodeError:
        call = None
    if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
        raise RowError(f'a {_CALL} is not {{"name", "arguments"}} in JSON')
    return call


def _preference(row: Row) -> Row:
    """A pair of answers to one prompt: all of it text, or all of it turns."""
    chosen, rejected = (row.get(name) if isinstance(row, dict) else None for name in ("chosen", "rejected"))
    if isinstance(chosen, str) and isinstance(rejected, str):
        asked = _asked(row)
        if asked is None:
            asked, chosen, rejected = _apart(chosen, rejected)
        if isinstance(asked, str):
            return _with_tools(row, {"prompt": asked, "chosen": chosen, "rejected": rejected})
        return _with_tools(row, {"prompt": asked, "chosen": _answer(chosen), "rejected": _answer(rejected)})
    if isinstance(chosen, dict) and isinstance(rejected, dict):
        answers = ([_sharegpt_turn(chosen)], [_sharegpt_turn(rejected)])
    elif isinstance(chosen, list) and isinstance(rejected, list):
        answers = (_turns(chosen, "chosen"), _turns(rejected, "rejected"))
    else:
        raise RowError("chosen and rejected are not both text, both lists of messages, or both turns behind conversations")
    shared = _shared_turns(*answers)
    prompt = _behind(_asked(row), answers[0][:shared])
    return _with_tools(row, {"prompt": prompt, "chosen": answers[0][shared:], "rejected": answers[1][shared:]})


def _asked(row: Row) -> str | list[Row] | None:
    """What stands before both answers: a text, turns, or nothing."""
    if row.get("conversations") is not None:
        return _conversation(row)
    prompt = row.get("prompt")
    return prompt if prompt is None or isinstance(prompt, str) else _turns(prompt, "prompt")


def _apart(chosen: str, rejected: str) -> tuple[str, str, str]:
    """A prompt that both texts begin with, and what each says then; a space between them belongs to the answers."""
    length = next((place for place, pair in enumerate(zip(chosen, rejected, strict=False)) if pair[0] != pair[1]), None)
    if length is None:
        length = min(len(chosen), len(rejected))
    if length and chosen[length - 1] == " ":
        length -= 1
    return chosen[:length], chosen[length:], rejected[length:]


def _shared_turns(chosen: list[Row], rejected: list[Row]) -> int:
    """How many turns both begin with; each keeps at least its last, which answers."""
    most = min(len(chosen), len(rejected)) - 1
    return next((place for place in range(most) if chosen[place] != rejected[place]), most)


def _behind(asked: str | list[Row] | None, shared: list[Row]) -> list[Row]:
    """The prompt's turns: many datasets say them twice, in a column and at the beginning of both answers."""
    if isinstance(asked, str):
        asked = [] if any(turn.get("content") == asked for turn in shared) else [{"role": "user", "content": asked}]
    if asked and shared[: len(asked)] == asked:
        asked = []
    prompt = [*(asked or []), *shared]
    if not prompt:
        raise RowError("nothing is asked before chosen and rejected; add a prompt, or turns that both begin with")
    return prompt


def _answer(text: str) -> list[Row]:
    return [{"role": "assistant", "content": text}]


def _with_tools(row: Row, converted: Row) -> Row:
    """With the tools that a row names, a list or the JSON of one."""
    tools = row.get("tools")
    if isinstance(tools, str) and tools.strip():
        try:
            tools = json.loads(tools)
        except json.JSONDecodeError as error:
            raise RowError("tools is not JSON") from error
    if not tools:
        return converted
    if not isinstance(tools, list):
        raise RowError("tools is not a list")
    return converted | {"tools": tools}


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


def _text_label(row: Row) -> Row:
    return {"text": _string(row, "text"), "label": _label(row)}


def _image_label(row: Row) -> Row:
    return {"image": _string(row, "image"), "label": _label(row)}


def _image_caption(row: Row) -> Row:
    """What is asked of a picture, and the caption as the answer."""
    question = row.get("prompt") or CAPTION_QUESTION
    if not isinstance(question, str):
        raise RowError("prompt is not text")
    return {
        "image": _string(row, "image"),
        "prompt": [{"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": _string(row, "caption")}],
    }


def _label(row: Row) -> str:
    """Text, or a whole number as text."""
    value = row.get("label")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowError("label is neither text nor a whole number")
    return str(value)


CONVERTERS: dict[dataset_pb2.DatasetFormat, Callable[[Row], Row]] = {
    dataset_pb2.DATASET_FORMAT_TEXT: _text,
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: _prompt_completion,
    dataset_pb2.DATASET_FORMAT_ALPACA: _alpaca,
    dataset_pb2.DATASET_FORMAT_MESSAGES: _messages,
    dataset_pb2.DATASET_FORMAT_SHAREGPT: _sharegpt,
    dataset_pb2.DATASET_FORMAT_PREFERENCE: _preference,
    dataset_pb2.DATASET_FORMAT_TEXT_LABEL: _text_label,
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: _image_label,
    dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION: _image_caption,
}
