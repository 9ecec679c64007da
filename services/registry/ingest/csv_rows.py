"""CSV: a header, then one row a record; an empty value is null."""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from services.registry.ingest.csv_records import Open, Records
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
        self._records = Records()
        self._header: list[str] = []
        self._interactions = False

    def feed(self, piece: bytes) -> Iterator[Row]:
        first, lines = self._lines.feed(piece)
        done = 0
        while done < len(lines) and self._records.open:
            yield from self._line(first + done, lines[done] + b"\n")
            done += 1
        if done < len(lines):
            yield from self._together(first + done, lines[done:])

    def finish(self) -> Iterator[Row]:
        number, lines = self._lines.finish()
        for line in lines:
            yield from self._line(number, line)
        # A last try, whatever was tried before.
        yield from self._rows()
        if self._records.open:
            text = "a quote is opened and never closed; close it, or double the quotes inside a value"
            self._problems.stop(self._records.first_line, text)

    def _together(self, first: int, lines: list[bytes]) -> Iterator[Row]:
        """Lines of which the first begins a record: read at once, which takes half the time, but for a record that goes on."""
        try:
            text = b"\n".join([*lines, b""]).decode()
        except UnicodeDecodeError:
            yield from self._apart(first, lines)
            return
        reader, done = csv.reader(io.StringIO(text, newline="\n"), strict=True), 0
        try:
            for values in reader:
                if values:
                    yield from self._record(first + done, values)
                done = reader.line_num
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                self._stop_at(first + done, error)
            yield from self._apart(first + done, lines[done:])

    def _apart(self, first: int, lines: list[bytes]) -> Iterator[Row]:
        for number, line in enumerate(lines, first):
            yield from self._line(number, line + b"\n")

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
        try:
            records = self._records.take()
        except Open:
            return
        except csv.Error as error:
            self._stop_at(self._records.first_line, error)
        for line, values in records:
            yield from self._record(line, values)

    def _record(self, line: int, values: list[str]) -> Iterator[Row]:
        if not self._header:
            self._header = self._check_header(line, values)
            self._interactions = set(values) >= _INTERACTIONS
        elif len(values) != len(self._header):
            text = f"has {len(values)} values, and the header names {len(self._header)}; quote values that hold commas"
            self._problems.add(line, text)
        else:
            yield Row(line, self._row(values), None)

    def _stop_at(self, line: int, error: csv.Error) -> NoReturn:
        self._problems.stop(line, f"is not valid CSV ({error}); double the quotes inside a quoted value")

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
        row: dict[str, Any] = dict(zip(self._header, [value or None for value in values], strict=True))
        if self._interactions:
            for name in _NUMBERS:
                if row.get(name):
                    row[name] = _number(row[name])
        return row


def _number(text: str) -> int | float | str:
    """A number where the text is one as JSON writes it; the check of the row refuses the rest."""
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    return int(text) if text.lstrip("-").isdigit() else number
