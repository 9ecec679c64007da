"""The first rows of a dataset, small enough for one answer."""

from pathlib import Path
from typing import Any

import orjson
from google.protobuf.struct_pb2 import Struct

from services.chassis.files import missing

# Rows of a few KiB are shown whole; a row may have 16 MiB, which no page wants to show.
_PREVIEW_BYTES = 4 * 1024 * 1024
_SHOWN_CHARACTERS = 1000
_SHOWN_ITEMS = 100
# Readers of protobuf stop at 100 messages inside each other, and an object in a Struct is three.
_SHOWN_DEPTH = 28


def preview(path: Path, row_count: int) -> list[Struct]:
    """The first rows: fewer if they are large, and a first row that is too large alone is shortened."""
    shown: list[Struct] = []
    left = _PREVIEW_BYTES
    try:
        with path.open("rb") as file:
            while len(shown) < row_count and (line := file.readline()):
                row = orjson.loads(line)
                if len(line) > left:
                    if shown:
                        break
                    row = _shortened(row)
                left -= len(line)
                shown.append(_struct(row))
    except FileNotFoundError:
        raise missing(path) from None
    return shown


def _struct(row: dict[str, Any]) -> Struct:
    message = Struct()
    message.update(_shallow(row))
    return message


def _shallow(value: Any, depth: int = 1) -> Any:
    """A value whose innermost parts, past what a Struct can carry, are shown as JSON."""
    if not isinstance(value, dict | list):
        return value
    if depth > _SHOWN_DEPTH:
        return orjson.dumps(value).decode()
    if isinstance(value, list):
        return [_shallow(item, depth + 1) for item in value]
    return {name: _shallow(inner, depth + 1) for name, inner in value.items()}


def _shortened(value: Any) -> Any:
    """Long text cut with a note of its length, long lists and objects cut. Rows are at most 254 levels deep."""
    if isinstance(value, str) and len(value) > _SHOWN_CHARACTERS:
        return f"{value[:_SHOWN_CHARACTERS]}… ({len(value)} characters)"
    if isinstance(value, list):
        return [_shortened(item) for item in value[:_SHOWN_ITEMS]]
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in list(value.items())[:_SHOWN_ITEMS]}
    return value
