"""Lines out of pieces, with their numbers, in bounded memory."""

from collections.abc import Iterator

from services.registry.ingest.rows import Problems, too_long


class LineSplitter:
    """Cuts a stream into lines without their line feed; notes a line over the limit as a problem and drops it."""

    def __init__(self, problems: Problems, max_line_bytes: int) -> None:
        self._problems = problems
        self._max_line_bytes = max_line_bytes
        self._rest = bytearray()
        self._number = 1
        self._dropping = False

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        """The lines that end in this piece."""
        first, feed, others = piece.partition(b"\n")
        self._extend(first)
        if not feed:
            return
        if not self._dropping:
            yield self._number, bytes(self._rest)
        self._number, self._dropping = self._number + 1, False
        self._rest.clear()
        lines = others.split(b"\n")
        last = lines.pop()
        for line in lines:
            if len(line) > self._max_line_bytes:
                self._problems.add(self._number, too_long(self._max_line_bytes))
            else:
                yield self._number, line
            self._number += 1
        self._extend(last)

    def finish(self) -> Iterator[tuple[int, bytes]]:
        """The last line, if no line feed ended it."""
        if self._rest and not self._dropping:
            yield self._number, bytes(self._rest)

    def _extend(self, part: bytes) -> None:
        if self._dropping:
            return
        self._rest += part
        if len(self._rest) > self._max_line_bytes:
            self._problems.add(self._number, too_long(self._max_line_bytes))
            self._rest.clear()
            self._dropping = True
