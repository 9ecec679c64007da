"""JSON: one list of objects, read element by element in bounded memory, each kept as one line."""

import codecs
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from services.registry.ingest.jsonl import repeated_name
from services.registry.ingest.rows import TOO_DEEP, Problems, Row, RowFault, count_pairs, to_line, too_long

_SPACE = re.compile(r"[ \t\r\n]*")
# How far before the end of what came an error may lie and still only mean that the rest has not come: `-Infinit`, `\ud83d\ude0`.
_CUT_CHARACTERS = 16


class JsonArrayReader:
    """Rows of a JSON list."""

    def __init__(self, problems: Problems, max_row_bytes: int) -> None:
        self._problems = problems
        self._max_row_bytes = max_row_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_float=self._float, parse_int=self._int
        )
        self._fault: str | None = None
        self._window = ""
        # Where reading stands in the window, and which line of the file that is.
        self._at = 0
        self._line = 1
        self._next = self._open
        # An element that is cut off is tried again only when twice as much of it has come, or a long one would cost its square.
        self._enough = 0

    def feed(self, piece: bytes) -> Iterator[Row]:
        yield from self._read(piece, last=False)

    def finish(self) -> Iterator[Row]:
        yield from self._read(b"", last=True)
        if self._next != self._end:
            self._stop(len(self._window), "the list is not closed: the file ends early; upload the whole file")

    def _read(self, piece: bytes, *, last: bool) -> Iterator[Row]:
        self._window = self._window[self._at :] + self._decode(piece, last=last)
        self._at = 0
        if len(self._window) < self._enough and not last:
            return
        self._enough = 0
        while True:
            self._move(self._space_end(self._at))
            if self._at == len(self._window):
                return
            if self._next == self._element:
                row, cut_off = self._element(last=last)
                if cut_off:
                    return
                if row is not None:
                    yield row
            else:
                self._next()

    def _open(self) -> None:
        if self._window[self._at] != "[":
            self._stop(self._at, "a .json file holds one list of rows, [{…}, …]; this one does not begin with [")
        self._move(self._at + 1)
        self._next = self._first

    def _first(self) -> None:
        if self._window[self._at] == "]":
            self._move(self._at + 1)
            self._next = self._end
        else:
            self._next = self._element

    def _separator(self) -> None:
        character = self._window[self._at]
        if character not in ",]":
            self._stop(self._at, "is not valid JSON: a comma or the closing ] is missing before this; add it")
        self._move(self._at + 1)
        self._next = self._element if character == "," else self._end

    def _end(self) -> None:
        self._stop(self._at, "something follows the closing ]; a .json file holds one list and nothing else")

    def _element(self, *, last: bool = False) -> tuple[Row | None, bool]:
        """The next row, None if it is refused; and whether it is not all here yet."""
        self._fault = None
        try:
            value, end = self._json.raw_decode(self._window, self._at)
        except json.JSONDecodeError as error:
            return None, self._cut_off(error, last=last)
        except RecursionError:
            self._stop(self._at, TOO_DEEP)
        line, length = self._line, end - self._at
        self._move(end)
        self._next = self._separator
        try:
            return Row(line, value, self._stored(value, length)), False
        except RowFault as fault:
            self._problems.add(line, str(fault))
            return None, False

    def _stored(self, value: Any, length: int) -> bytes:
        if self._fault is not None:
            raise RowFault(self._fault)
        if length > self._max_row_bytes:
            raise RowFault(too_long(self._max_row_bytes))
        if type(value) is not dict:
            raise RowFault("is not an object; each element of the list is a row, {…}")
        count_pairs(value)
        return to_line(value)

    def _cut_off(self, error: json.JSONDecodeError, *, last: bool) -> bool:
        """True if more of the element has to come; raises if it is broken or too long."""
        perhaps = error.msg.startswith("Unterminated string") or error.pos >= len(self._window) - _CUT_CHARACTERS
        if last or not perhaps:
            self._stop(error.pos, f"is not valid JSON ({error.msg}, column {self._column(error.pos)}); correct it")
        length = len(self._window) - self._at
        if length > self._max_row_bytes:
            self._stop(self._at, too_long(self._max_row_bytes))
        self._enough = 2 * length
        return True

    def _decode(self, piece: bytes, *, last: bool) -> str:
        try:
            return self._utf8.decode(piece, final=last)
        except UnicodeDecodeError as error:
            line = self._line + self._window.count("\n", self._at) + error.object[: error.start].count(b"\n")
            self._problems.stop(line, "is not UTF-8; save the file as UTF-8")

    def _move(self, end: int) -> None:
        self._line += self._window.count("\n", self._at, end)
        self._at = end

    def _space_end(self, start: int) -> int:
        match = _SPACE.match(self._window, start)
        return match.end() if match else start

    def _column(self, position: int) -> int:
        return position - self._window.rfind("\n", 0, position)

    def _stop(self, position: int, text: str) -> Any:
        self._problems.stop(self._line + self._window.count("\n", self._at, position), text)

    # The parser's hooks note a fault and go on, so that the next row can be read.

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            self._fault = repeated_name(pairs)
        return value

    def _constant(self, name: str) -> None:
        self._fault = f"has {name}, which JSON does not know; write null or leave the value out"

    def _float(self, digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            self._fault = "has a number too large for 64 bits; write it as text"
        return value

    def _int(self, digits: str) -> int:
        # Python refuses to read thousands of digits, in an error that says nothing of the row.
        if len(digits) > 20:
            self._fault = "has a whole number beyond 64 bits; write it as text"
            return 0
        return int(digits)
