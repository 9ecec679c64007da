"""Lines out of pieces, with their numbers, in bounded memory."""

from services.registry.ingest.rows import Problems, too_long

# The number of the first line, and the lines without their line feeds.
Lines = tuple[int, list[bytes]]


class LineSplitter:
    """Cuts a stream into lines; notes a line over the limit as a problem and leaves an empty one in its place."""

    def __init__(self, problems: Problems, max_line_bytes: int) -> None:
        self._problems = problems
        self._max_line_bytes = max_line_bytes
        # The line that has not ended yet; None while one over the limit is being skipped.
        self._rest: bytearray | None = bytearray()
        self._number = 1

    def feed(self, piece: bytes) -> Lines:
        """The lines that end in this piece."""
        lines = piece.split(b"\n")
        last = lines.pop()
        if not lines:
            self._extend(last)
            return self._number, []
        self._extend(lines[0])
        lines[0] = bytes(self._rest or b"")
        first, self._number = self._number, self._number + len(lines)
        if max(map(len, lines)) > self._max_line_bytes:
            lines = [self._fitting(number, line) for number, line in enumerate(lines, first)]
        self._rest = bytearray()
        self._extend(last)
        return first, lines

    def finish(self) -> Lines:
        """The last line, if no line feed ended it."""
        return self._number, [bytes(self._rest)] if self._rest else []

    def _extend(self, part: bytes) -> None:
        if self._rest is None:
            return
        self._rest += part
        if len(self._rest) > self._max_line_bytes:
            self._problems.add(self._number, too_long(self._max_line_bytes))
            self._rest = None

    def _fitting(self, number: int, line: bytes) -> bytes:
        if len(line) <= self._max_line_bytes:
            return line
        self._problems.add(number, too_long(self._max_line_bytes))
        return b""
