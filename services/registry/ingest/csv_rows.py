"""CSV: a header, then one row a record; an empty value is null."""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from services.registry.ingest.lines import LineSplitter
from services.registry.ingest.rows import Problems, Row, quoted, too_long

# CSV has no numbers. These columns hold them wherever there are users and items.
_INTERACTIONS = {"user_id", "item_id"}
_NUMBERS = ("rating", "timestamp")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


class CsvReader:
    """Rows of a CSV file."""

    def __init__(self, problems: Problems, max_row_bytes: int) -> None:
        # The module's own limit is 128 KiB a value, for the whole process.
        csv.field_size_limit(max(max_row_bytes, csv.field_size_limit()))
        self._problems = problems
        self._max_row_bytes = max_row_bytes
        self._lines = LineSplitter(problems, max_row_bytes)
        self._records = _Records()
        self._header: list[str] = []

    def feed(self, piece: bytes) -> Iterator[Row]:
        first, lines = self._lines.feed(piece)
        for number, line in enumerate(lines, first):
            yield from self._line(number, line + b"\n")

    def finish(self) -> Iterator[Row]:
        number, lines = self._lines.finish()
        for line in lines:
            yield from self._line(number, line)
        # A last try, whatever was tried before.
        yield from self._rows()
        if self._records.open:
            text = "a quote is opened and never closed; close it, or double the quotes inside a value"
            self._problems.stop(self._records.first_line, text)

    def _line(self, number: int, line: bytes) -> Iterator[Row]:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self._problems.stop(number, "is not UTF-8; save the file as UTF-8")
        self._records.add(number, text)
        if self._records.byte_count > self._max_row_bytes:
            self._problems.stop(self._records.first_line, f"{too_long(self._max_row_bytes)}; perhaps a quote is never closed")
        if self._records.may_end:
            yield from self._rows()

    def _rows(self) -> Iterator[Row]:
        for line, values in self._read():
            if not self._header:
                self._header = self._check_header(line, values)
            elif len(values) != len(self._header):
                text = f"has {len(values)} values, and the header names {len(self._header)}; quote values that hold commas"
                self._problems.add(line, text)
            else:
                yield Row(line, self._row(values), None)

    def _read(self) -> list[tuple[int, list[str]]]:
        try:
            return self._records.take()
        except _Open:
            return []
        except csv.Error as error:
            self._problems.stop(self._records.first_line, f"is not valid CSV ({error}); double the quotes inside a quoted value")

    def _check_header(self, line: int, names: list[str]) -> list[str]:
        if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
            self._problems.stop(line, "the header has no commas; separate values with commas and save again")
        if not all(names):
            self._problems.stop(line, "a column of the header has no name; name every column")
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            self._problems.stop(line, f"the header has {quoted(repeated)} twice; rename one")
        return names

    def _row(self, values: Sequence[str]) -> dict[str, Any]:
        row: dict[str, Any] = {name: value or None for name, value in zip(self._header, values, strict=True)}
        if row.keys() >= _INTERACTIONS:
            for name in _NUMBERS:
                if row.get(name):
                    row[name] = _number(row[name])
        return row


class _Open(Exception):
    """The lines so far end inside a quoted value."""


class _Records:
    """Lines that are not rows yet: a quoted value may hold line feeds."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._quote_count = 0
        self._enough = 0
        self.byte_count = 0
        self.first_line = 1

    @property
    def open(self) -> bool:
        return bool(self._lines)

    @property
    def may_end(self) -> bool:
        """Whether it is worth a try: an odd number of quotes leaves one open; a failed try is repeated at twice the length."""
        return self._quote_count % 2 == 0 and self.byte_count >= self._enough

    def add(self, number: int, line: str) -> None:
        if not self._lines:
            self.first_line = number
        self._lines.append(line)
        self._quote_count += line.count('"')
        self.byte_count += len(line)

    def take(self) -> list[tuple[int, list[str]]]:
        """The records, each with its first line; empty lines are none. Raises _Open or csv.Error."""
        reader = csv.reader(self._lines, strict=True)
        found, before = [], 0
        try:
            for values in reader:
                if values:
                    found.append((self.first_line + before, values))
                before = reader.line_num
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                self.first_line += before
                raise
            self._enough = 2 * self.byte_count
            raise _Open from error
        self._lines, self._quote_count, self._enough, self.byte_count = [], 0, 0, 0
        return found


def _number(text: str) -> int | float | str:
    """A number where the text is one as JSON writes it; the check of the row refuses the rest."""
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    return int(text) if text.lstrip("-").isdigit() else number
