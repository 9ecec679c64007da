"""What a row of each format must hold. A check answers with what is wrong and how to put it right, or None."""

from collections.abc import Callable, Mapping
from typing import Any

from tunesmith.registry.v1 import dataset_pb2

from services.chassis.dataset_columns import REQUIRED_COLUMNS
from services.chassis.pictures import NoPicture, bytes_of
from services.registry.ingest.detect import Format
from services.registry.ingest.rows import quoted

Check = Callable[[dict[str, Any]], str | None]

ROLES = ("system", "user", "assistant", "tool")
SPEAKERS = ("system", "human", "user", "gpt", "assistant", "tool", "function", "function_call", "observation")
# Whose turns the model learns to write.
ANSWERERS = ("assistant", "gpt")

_TYPE_NAMES = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}


def check_of(kind: Format) -> Check:
    """The check of a format's rows."""
    required, check = REQUIRED_COLUMNS[kind], CHECKS[kind]

    def complete_and_right(row: dict[str, Any]) -> str | None:
        for name in required:
            if row.get(name) is None:
                return f"has no {name}; rows of this dataset need {' and '.join(required)}"
        return check(row)

    return complete_and_right


def _messages(row: dict[str, Any]) -> str | None:
    return _turns("messages", row["messages"], ("role", "content"), ROLES)


def _sharegpt(row: dict[str, Any]) -> str | None:
    return _turns("conversations", row["conversations"], ("from", "value"), SPEAKERS)


def _turns(column: str, turns: Any, keys: tuple[str, str], speakers: tuple[str, ...], *, answered: bool = True) -> str | None:
    """A conversation; `answered` if the model must speak in it."""
    if type(turns) is not list or not turns:
        return f"{column} must be a list of at least one {{{', '.join(keys)}}}"
    speaker_key, text_key = keys
    for index, turn in enumerate(turns):
        # The words are looked for only when they are needed: this runs for each turn of each row.
        if type(turn) is not dict or turn.get(speaker_key) not in speakers or type(turn.get(text_key)) is not str:
            return _turn(f"{column}[{index}]", turn, keys, speakers)
    if answered and not any(turn[speaker_key] in ANSWERERS for turn in turns):
        return f"{column} has no turn of the assistant, so there is nothing to learn; add one or leave the row out"
    return None


def _turn(place: str, turn: Any, keys: tuple[str, str], speakers: tuple[str, ...]) -> str | None:
    if type(turn) is not dict:
        return f"{place} must be an object with {' and '.join(keys)}, and is {_type_name(turn)}"
    speaker_key, text_key = keys
    speaker, text = turn.get(speaker_key), turn.get(text_key)
    if speaker not in speakers:
        given = quoted(speaker) if type(speaker) is str else _type_name(speaker)
        return f"{place}.{speaker_key} is {given}; use one of {', '.join(speakers)}"
    if type(text) is not str:
        return f"{place}.{text_key} must be text, and is {_type_name(text)}; join its parts into one text"
    return None


def _text(*names: str) -> Check:
    def check(row: dict[str, Any]) -> str | None:
        for name in names:
            if type(row[name]) is not str:
                return f"{name} must be text, and is {_type_name(row[name])}; turn it into text"
        return None

    return check


def _optional_text(row: dict[str, Any], *names: str) -> str | None:
    for name in names:
        if type(row.get(name, "")) not in (str, type(None)):
            return f"{name} must be text or null, and is {_type_name(row[name])}; turn it into text"
    return None


def _alpaca(row: dict[str, Any]) -> str | None:
    return _INSTRUCTION_AND_OUTPUT(row) or _optional_text(row, "input", "system")


def _preference(row: dict[str, Any]) -> str | None:
    kinds = {type(row["chosen"]), type(row["rejected"])}
    if kinds == {str}:
        return _prompt(row)
    if kinds == {list}:
        pairs = ((name, row[name]) for name in ("chosen", "rejected"))
        faults = (_turns(name, turns, ("role", "content"), ROLES) for name, turns in pairs)
        return next((fault for fault in faults if fault), None) or _prompt(row)
    if kinds == {dict}:
        return _sharegpt_preference(row)
    return (
        "chosen and rejected must both be text, both lists of {role, content}, or both {from, value} after conversations; "
        f"they are {_type_name(row['chosen'])} and {_type_name(row['rejected'])}"
    )


def _prompt(row: dict[str, Any]) -> str | None:
    prompt = row.get("prompt")
    if prompt is None or type(prompt) is str:
        return None
    return _turns("prompt", prompt, ("role", "content"), ROLES, answered=False)


def _sharegpt_preference(row: dict[str, Any]) -> str | None:
    if row.get("conversations") is None:
        return "has no conversations before chosen and rejected; add what they answer"
    fault = _turns("conversations", row["conversations"], ("from", "value"), SPEAKERS, answered=False)
    for name in ("chosen", "rejected"):
        fault = fault or _turn(name, row[name], ("from", "value"), ANSWERERS)
    return fault


def _label(row: dict[str, Any]) -> str | None:
    if type(row["label"]) not in (str, int):
        return f"label must be text or a whole number, and is {_type_name(row['label'])}; name each class"
    return None


def _text_label(row: dict[str, Any]) -> str | None:
    return _label(row) or _TEXT(row)


def _image_label(row: dict[str, Any]) -> str | None:
    return _label(row) or _image(row)


def _image_caption(row: dict[str, Any]) -> str | None:
    return _CAPTION(row) or _image(row)


def _image(row: dict[str, Any]) -> str | None:
    fault = _IMAGE(row)
    if fault:
        return fault
    try:
        bytes_of(row["image"])
    except NoPicture as error:
        return f"image {error}"
    return None


def _interactions(row: dict[str, Any]) -> str | None:
    for name in ("user_id", "item_id"):
        if type(row[name]) not in (str, int):
            return f"{name} must be text or a whole number, and is {_type_name(row[name])}; use an id"
    if type(row.get("rating")) not in (int, float, type(None)):
        return f"rating must be a number or null, and is {_type_name(row['rating'])}; correct it or leave it out"
    if type(row.get("timestamp")) not in (int, float, str, type(None)):
        return f"timestamp must be a number or text, and is {_type_name(row['timestamp'])}; correct it or leave it out"
    return None


def _type_name(value: Any) -> str:
    return _TYPE_NAMES.get(type(value), "missing or null")


_INSTRUCTION_AND_OUTPUT = _text("instruction", "output")
_TEXT = _text("text")
_IMAGE = _text("image")
_CAPTION = _text("caption")

CHECKS: Mapping[Format, Check] = {
    dataset_pb2.DATASET_FORMAT_MESSAGES: _messages,
    dataset_pb2.DATASET_FORMAT_TEXT: _TEXT,
    dataset_pb2.DATASET_FORMAT_TEXT_LABEL: _text_label,
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: _text("prompt", "completion"),
    dataset_pb2.DATASET_FORMAT_ALPACA: _alpaca,
    dataset_pb2.DATASET_FORMAT_SHAREGPT: _sharegpt,
    dataset_pb2.DATASET_FORMAT_PREFERENCE: _preference,
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: _image_label,
    dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION: _image_caption,
    dataset_pb2.DATASET_FORMAT_INTERACTIONS: _interactions,
}
