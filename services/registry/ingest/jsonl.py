"""JSONL: one JSON object a line, kept as it was written."""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from services.registry.ingest.lines import Lines, LineSplitter
from services.registry.ingest.rows import MAX_VALUES, TOO_DEEP, TOO_MANY_VALUES, Problems, Row, RowFault, quoted, to_line

_JSON_TYPES = {list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false", type(None): "null"}
_CONSTANTS = ("NaN", "Infinity", "-Infinity", "-infinity", "-NaN")
_FIX = "write one JSON object on each line"


class JsonlReader:
    """Rows of a JSONL file."""

    def __init__(self, problems: Problems, max_row_bytes: int) -> None:
        self._problems = problems
        self._lines = LineSplitter(problems, max_row_bytes)

    def feed(self, piece: bytes) -> Iterator[Row]:
        return self._rows(self._lines.feed(piece))

    def finish(self) -> Iterator[Row]:
        return self._rows(self._lines.finish())

    def _rows(self, lines: Lines) -> Iterator[Row]:
        rows = []
        for number, line in enumerate(lines[1], lines[0]):
            # A carriage return at the end too: Windows writes one.
            line = line.strip()
            if line:
                try:
                    rows.append(Row(number, parse_line(line), line))
                except RowFault as fault:
                    self._problems.add(number, str(fault))
        if _may_repeat_names(rows):
            rows = [row for row in rows if self._is_sound(row)]
        return iter(rows)

    def _is_sound(self, row: Row) -> bool:
        """Whether a row can be written again and has no name twice, read exactly and ten times slower."""
        try:
            to_line(row.value)
            json.loads(row.stored or b"", object_pairs_hook=refuse_repeated_names)
        except RowFault as fault:
            self._problems.add(row.line, str(fault))
            return False
        return True


def parse_line(line: bytes) -> dict[str, Any]:
    """The object on a line. Of a name that comes twice, the last; raises RowFault for anything else that is wrong."""
    # Most lines are too short to have so many.
    if len(line) > MAX_VALUES and line.count(b",") > MAX_VALUES:
        raise RowFault(TOO_MANY_VALUES)
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RowFault(_syntax(line, error)) from error
    if type(value) is not dict:
        raise RowFault(f"holds {_JSON_TYPES[type(value)]}, not an object; {_FIX}")
    return value


def _may_repeat_names(rows: list[Row]) -> bool:
    """Whether a name comes twice in an object of these rows, or one of them is nested too deep.

    The parser keeps the last of two equal names and says nothing. A name that is dropped takes its quotation marks along, and the
    row, written again, has fewer. A mark inside a text is one mark or \\u0022 before and one mark after, so equal counts prove
    that nothing was dropped. The lines of a piece are counted together, because that is faster.
    """
    lines = b"".join([row.stored or b"" for row in rows])
    try:
        marks = sum([orjson.dumps(row.value).count(b'"') for row in rows])
    except TypeError:
        return True
    return lines.count(b'"') + lines.count(b"\\u0022") != marks


def refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of pairs. Raises RowFault if a name comes twice."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise RowFault(repeated_name(pairs))
    return value


def repeated_name(pairs: list[tuple[str, Any]]) -> str:
    """The problem of an object in which a name comes twice."""
    seen: set[str] = set()
    name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    return f"has the name {quoted(name)} twice in one object; keep one of them"


def _syntax(line: bytes, error: orjson.JSONDecodeError) -> str:
    reason = error.msg
    if "depth limit" in reason:
        return TOO_DEEP
    if "surrogates not allowed" in reason:
        return "is not UTF-8; save the file as UTF-8"
    if "surrogate" in reason:
        return "has half of a surrogate pair (\\ud800 to \\udfff alone), which is no character; remove it"
    if line.decode(errors="replace")[error.pos :].startswith(_CONSTANTS):
        return "has NaN or Infinity, which JSON does not know; write null or leave the value out"
    if line.startswith(b"{'"):
        return "uses single quotes, and JSON uses double ones; write the rows with json.dumps"
    return f"is not valid JSON ({reason}, column {error.colno}); {_FIX}"
