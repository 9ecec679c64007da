"""Lines of a CSV file that are not rows yet, because a quoted value may hold line feeds."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain

_LINES_APART = 1024


class Open(Exception):
    """The lines so far end inside a quoted value."""


class Records:
    """Lines that are not rows yet: a quoted value may hold line feeds."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        # Lines before those, joined: a quoted value of line feeds has millions, and each by itself takes sixty bytes.
        self._blocks: list[str] = []
        self._quote_count = 0
        self._enough = 0
        self.byte_count = 0
        self.first_line = 1

    @property
    def open(self) -> bool:
        return bool(self._lines or self._blocks)

    @property
    def may_end(self) -> bool:
        """Whether it is worth a try: an odd number of quotes leaves one open; a failed try is repeated at twice the length."""
        return self._quote_count % 2 == 0 and self.byte_count >= self._enough

    def add(self, number: int, line: str) -> None:
        if not self.open:
            self.first_line = number
        if len(self._lines) == _LINES_APART:
            self._blocks.append("".join(self._lines))
            self._lines = []
        self._lines.append(line)
        self._quote_count += line.count('"')
        self.byte_count += len(line)

    def take(self) -> list[tuple[int, list[str]]]:
        """The records, each with its first line; empty lines are none. Raises Open or csv.Error."""
        reader = csv.reader(chain(_lines_of(self._blocks), self._lines) if self._blocks else self._lines, strict=True)
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
            raise Open from error
        self._lines, self._blocks, self._quote_count, self._enough, self.byte_count = [], [], 0, 0, 0
        return found


def _lines_of(blocks: Sequence[str]) -> Iterator[str]:
    """The lines of blocks, each with its line feed, one at a time."""
    for block in blocks:
        start = 0
        while start < len(block):
            end = block.index("\n", start) + 1
            yield block[start:end]
            start = end
