"""Rows of one shape to lines of another, a piece at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from services.chassis.errors import FailedPrecondition, InvalidArgument
from services.chassis.files import missing
from services.registry.conversion.conversation import Unfit
from services.registry.conversion.shapes import Target, conversion_of
from services.registry.ingest.detect import Format
from services.registry.ingest.formats import check_of
from services.registry.ingest.rows import MAX_PROBLEMS, RowFault, to_line, too_long

_PIECE_BYTES = 1024 * 1024
_FIX = "some rows do not fit the target; correct them and upload them again, or set this to leave them out"


class Conversion:
    """Reads a file of rows and yields the lines of another. What was left out is known once it has been read to its end."""

    def __init__(self, source: Format, target: Target, *, skip_unfit_rows: bool, max_row_bytes: int) -> None:
        """Raises InvalidArgument where there is no way from one to the other."""
        self._read, self._shape = conversion_of(source, target)
        self._check = check_of(self._shape.format)
        self.target = target
        self._skip = skip_unfit_rows
        self._max_row_bytes = max_row_bytes
        self.skipped_row_count = 0
        # The first of them, each with its line and the reason.
        self.skipped_rows: list[str] = []

    def pieces(self, path: Path, stopped: Callable[[], bool]) -> Iterator[bytes]:
        """The converted rows in pieces of about a MiB; ends early once `stopped` says so.

        Raises InvalidArgument with the rows that don't fit, unless they are to be skipped, and FailedPrecondition, reason
        FILE_MISSING or NO_ROW_FITS.
        """
        lines: list[bytes] = []
        size = kept = 0
        for number, line in enumerate(_lines(path), start=1):
            try:
                written = self._converted(line)
            except (Unfit, RowFault) as fault:
                self._leave_out(number, str(fault))
                continue
            kept += 1
            lines.append(written)
            size += len(written) + 1
            if size >= _PIECE_BYTES:
                if stopped():
                    return
                yield b"\n".join([*lines, b""])
                lines, size = [], 0
        self._refuse(kept)
        yield b"\n".join([*lines, b""])

    def _converted(self, line: bytes) -> bytes:
        row = self._shape.write(self._read(orjson.loads(line)))
        fault = self._check(row)
        if fault:
            raise Unfit(f"does not fit: {fault}")
        written = to_line(row)
        if len(written) > self._max_row_bytes:
            raise Unfit(too_long(self._max_row_bytes))
        return written

    def _leave_out(self, number: int, reason: str) -> None:
        self.skipped_row_count += 1
        if len(self.skipped_rows) < MAX_PROBLEMS:
            self.skipped_rows.append(f"line {number}: {reason}")
        elif not self._skip:
            self._refuse(0)

    def _refuse(self, kept: int) -> None:
        """Raise if rows don't fit and may not be left out, or if none is left."""
        if self.skipped_rows and not self._skip:
            # The way out first: what does not fit into an answer is left out at its end.
            raise InvalidArgument([("skip_unfit_rows", _FIX), *(("target", text) for text in self.skipped_rows)])
        if not kept:
            text = f"no row fits the target: {self.skipped_rows[0] if self.skipped_rows else 'there is none'}; choose another one"
            raise FailedPrecondition("NO_ROW_FITS", text)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        raise missing(path) from None
