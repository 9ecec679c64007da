"""What a reader yields, what a row may be, and the problems that are collected on the way."""

from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn, Protocol

import orjson

from services.chassis.errors import InvalidArgument

FIELD = "data"
MAX_PROBLEMS = 20
# What the JSON writer goes to. Rows of text never come near; a file of brackets does.
MAX_DEPTH = 254
TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels; flatten it, or store the inner part as text"
# Eight bytes of a file, `{"a":1},`, become 230 of memory: a row that its length allows would take half a gigabyte.
MAX_VALUES = 1_000_000
TOO_MANY_VALUES = f"holds more than {MAX_VALUES} values; store the inner part as text, or split the row"
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
    """What is wrong with a file, each with its place. Reading goes on past a problem, so that a person sees more than one."""

    def __init__(self) -> None:
        # Parquet has no lines; its reader says `row`.
        self.unit = "line"
        self._found: list[tuple[int, str]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, line: int, text: str) -> None:
        """Note a problem. Raises with all of them when there are enough."""
        self._found.append((line, text))
        if len(self._found) >= MAX_PROBLEMS:
            self.refuse()

    def stop(self, line: int, text: str) -> NoReturn:
        """Raise with a problem after which nothing can be read, and those before it."""
        self._found.append((line, text))
        raise self._error()

    def refuse(self) -> None:
        """Raise if there are problems."""
        if self._found:
            raise self._error()

    def _error(self) -> InvalidArgument:
        return InvalidArgument([(FIELD, f"{self.unit} {line}: {text}") for line, text in sorted(self._found)])


class RowFault(Exception):
    """Why a row cannot be stored, in words that follow its line number."""


def to_line(value: dict[str, Any]) -> bytes:
    """A row as one line of JSON. Raises RowFault for what a row cannot hold."""
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
    if "recursion" in reason.lower():
        return TOO_DEEP
    if "64-bit" in reason:
        return "has a whole number beyond 64 bits; write it as text"
    return f"cannot be stored as JSON ({reason}); write the value as text"
