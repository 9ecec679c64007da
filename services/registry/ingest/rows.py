"""What a reader yields, what a row may be, and the problems that are collected on the way."""

from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn, Protocol

import orjson

from services.chassis.errors import InvalidArgument

FIELD = "data"
MAX_PROBLEMS = 20
# A preview sends rows as google.protobuf.Struct, and protobuf readers stop at 100 messages inside each other: three a level.
MAX_DEPTH = 30
TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels; flatten it, or store the inner part as text"
QUOTE_CHARACTERS = 40


class Row(NamedTuple):
    """One row of a file."""

    line: int
    value: dict[str, Any]
    # The row as one line of JSON, where the reader has it already.
    stored: bytes | None


class Reader(Protocol):
    """Reads one kind of file, piece by piece."""

    def feed(self, piece: bytes) -> Iterator[Row]:
        """The rows that end in this piece."""

    def finish(self) -> Iterator[Row]:
        """The rows that were left when the file ended."""


class Problems:
    """What is wrong with a file, each with its place. Reading goes on past a problem, so that a person sees more than the first."""

    def __init__(self) -> None:
        # Parquet has no lines; its reader says `row`.
        self.unit = "line"
        self._texts: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._texts)

    def add(self, line: int, text: str) -> None:
        """Note a problem. Raises with all of them when there are enough."""
        self._texts.append(f"{self.unit} {line}: {text}")
        if len(self._texts) >= MAX_PROBLEMS:
            self.refuse()

    def stop(self, line: int, text: str) -> NoReturn:
        """Raise with a problem after which nothing can be read, and those before it."""
        self._texts.append(f"{self.unit} {line}: {text}")
        raise self._error()

    def refuse(self) -> None:
        """Raise if there are problems."""
        if self._texts:
            raise self._error()

    def _error(self) -> InvalidArgument:
        return InvalidArgument([(FIELD, text) for text in self._texts])


class RowFault(Exception):
    """Why a row cannot be stored, in words that follow its line number."""


def count_pairs(row: dict[str, Any]) -> int:
    """Names in a row's objects, at all levels. Raises RowFault if it is nested too deep.

    A loop over levels, because a recursive walk is what a file of brackets wants to break.
    """
    pairs, depth = len(row), 1
    level = [value for value in row.values() if type(value) in (dict, list)]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise RowFault(TOO_DEEP)
        inside: list[Any] = []
        for container in level:
            values = container
            if type(container) is dict:
                pairs += len(container)
                values = container.values()
            inside.extend([value for value in values if type(value) in (dict, list)])
        level = inside
    return pairs


def to_line(value: dict[str, Any]) -> bytes:
    """A row as one line of JSON. Raises RowFault for what JSON cannot hold."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise RowFault(_unwritable(str(error))) from error


def too_long(max_row_bytes: int) -> str:
    """The problem of a row over the limit."""
    return f"is longer than {max_row_bytes} bytes; split the row, or raise TUNESMITH_MAX_ROW_BYTES"


def quoted(text: str) -> str:
    """A name or value out of a file, short enough for an error."""
    return repr(text if len(text) <= QUOTE_CHARACTERS else f"{text[:QUOTE_CHARACTERS]}…")


def _unwritable(reason: str) -> str:
    if "surrogate" in reason:
        return "has half of a surrogate pair (\\ud800 to \\udfff alone), which is no character; remove it"
    if "64-bit" in reason:
        return "has a whole number beyond 64 bits; write it as text"
    return f"cannot be stored as JSON ({reason}); write the value as text"
