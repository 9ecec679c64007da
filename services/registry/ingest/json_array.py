"""JSON: one list of objects, read element by element in bounded memory, each kept as one line."""

import codecs
import enum
import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from services.registry.ingest.jsonl import repeated_name
from services.registry.ingest.rows import MAX_VALUES, TOO_DEEP, TOO_MANY_VALUES, Problems, Row, RowFault, to_line, too_long

_SPACE = re.compile(r"[ \t\r\n]*")
# How far before the end of what came an error may lie and still only mean that the rest has not come: `-Infinit`, `\ud83d\ude0`.
_CUT_CHARACTERS = 16
_MAX_INTEGER_DIGITS = 20


class _Expected(enum.Enum):
    """What comes next; the text says what is wrong if it does not."""

    OPENING = "a .json file holds one list of rows, [{…}, …]; this one does not begin with ["
    ELEMENT_OR_CLOSING = "is not valid JSON: after [ comes a row or ]"
    ELEMENT = "is not valid JSON: after a comma comes a row"
    SEPARATOR = "is not valid JSON: a comma or the closing ] is missing before this; add it"
    NOTHING = "something follows the closing ]; a .json file holds one list and nothing else"


class JsonArrayReader:
    """Rows of a JSON list."""

    def __init__(self, problems: Problems, max_row_bytes: int) -> None:
        self._problems = problems
        self._max_row_bytes = max_row_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._parser = _Parser()
        self._expected = _Expected.OPENING
        self._window = ""
        # Where reading stands in the window, and which line of the file that is.
        self._at = 0
        self._line = 1
        # An element that is cut off is tried again only when twice as much of it has come, or a long one would cost its square.
        self._enough = 0

    def feed(self, piece: bytes) -> Iterator[Row]:
        return self._read(piece, last=False)

    def finish(self) -> Iterator[Row]:
        yield from self._read(b"", last=True)
        if self._expected is not _Expected.NOTHING:
            self._stop(len(self._window), "the list is not closed: the file ends early; upload the whole file")

    def _read(self, piece: bytes, *, last: bool) -> Iterator[Row]:
        self._window, self._at = self._window[self._at :] + self._decode(piece, last=last), 0
        if len(self._window) < self._enough and not last:
            return
        self._enough = 0
        while self._skip_space():
            if self._expected is not _Expected.ELEMENT:
                self._take_mark()
                continue
            line = self._line
            try:
                yield self._take_element(last=last)
            except _CutOff:
                return
            except RowFault as fault:
                self._problems.add(line, str(fault))

    def _take_mark(self) -> None:
        match self._expected, self._window[self._at]:
            case _Expected.OPENING, "[":
                self._expected = _Expected.ELEMENT_OR_CLOSING
            case ((_Expected.ELEMENT_OR_CLOSING | _Expected.SEPARATOR), "]"):
                self._expected = _Expected.NOTHING
            case _Expected.SEPARATOR, ",":
                self._expected = _Expected.ELEMENT
            case _Expected.ELEMENT_OR_CLOSING, _:
                self._expected = _Expected.ELEMENT
                return
            case _:
                self._stop(self._at, self._expected.value)
        self._move(self._at + 1)

    def _take_element(self, *, last: bool) -> Row:
        """The next row. Raises _CutOff if it is not all here, RowFault if it is refused; reading can go on after both."""
        # So much waits only for the end of one long row.
        if len(self._window) - self._at > MAX_VALUES and self._window.count(",", self._at) > MAX_VALUES:
            self._stop(self._at, TOO_MANY_VALUES)
        try:
            value, end = self._parser.parse(self._window, self._at)
        except json.JSONDecodeError as error:
            self._cut_off(error, last=last)
        except RecursionError:
            self._stop(self._at, TOO_DEEP)
        line, length = self._line, end - self._at
        self._move(end)
        self._expected = _Expected.SEPARATOR
        if length > self._max_row_bytes:
            raise RowFault(too_long(self._max_row_bytes))
        if self._parser.fault is not None:
            raise RowFault(self._parser.fault)
        if type(value) is not dict:
            raise RowFault("is not an object; each element of the list is a row, {…}")
        return Row(line, value, to_line(value))

    def _cut_off(self, error: json.JSONDecodeError, *, last: bool) -> NoReturn:
        """Raise _CutOff if more of the element has to come; stop if it is broken or too long."""
        perhaps = error.msg.startswith("Unterminated string") or error.pos >= len(self._window) - _CUT_CHARACTERS
        if last or not perhaps:
            column = error.pos - self._window.rfind("\n", 0, error.pos)
            self._stop(error.pos, f"is not valid JSON ({error.msg}, column {column}); correct it")
        length = len(self._window) - self._at
        if length > self._max_row_bytes:
            self._stop(self._at, too_long(self._max_row_bytes))
        self._enough = 2 * length
        raise _CutOff from error

    def _decode(self, piece: bytes, *, last: bool) -> str:
        try:
            return self._utf8.decode(piece, final=last)
        except UnicodeDecodeError as error:
            before = self._window.count("\n", self._at) + error.object.count(b"\n", 0, error.start)
            self._problems.stop(self._line + before, "is not UTF-8; save the file as UTF-8")

    def _skip_space(self) -> bool:
        """Whether anything follows."""
        match = _SPACE.match(self._window, self._at)
        self._move(match.end() if match else self._at)
        return self._at < len(self._window)

    def _move(self, end: int) -> None:
        self._line += self._window.count("\n", self._at, end)
        self._at = end

    def _stop(self, position: int, text: str) -> NoReturn:
        self._problems.stop(self._line + self._window.count("\n", self._at, position), text)


class _CutOff(Exception):
    """The element's end has not come yet."""


class _Parser:
    """Parses one value. What JSON allows and a row must not have is noted, and parsing goes on, so that the next row is found."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_float=self._float, parse_int=self._int
        )

    def parse(self, text: str, start: int) -> tuple[Any, int]:
        """A value and its end. Raises JSONDecodeError, or RecursionError for a pile of brackets."""
        self.fault = None
        return self._decoder.raw_decode(text, start)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            self.fault = repeated_name(pairs)
        return value

    def _constant(self, name: str) -> None:
        self.fault = f"has {name}, which JSON does not know; write null or leave the value out"

    def _float(self, digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            self.fault = "has a number too large for 64 bits; write it as text"
        return value

    def _int(self, digits: str) -> int:
        # Python refuses to read thousands of digits, with an error that names no row.
        if len(digits) > _MAX_INTEGER_DIGITS:
            self.fault = "has a whole number beyond 64 bits; write it as text"
            return 0
        return int(digits)
