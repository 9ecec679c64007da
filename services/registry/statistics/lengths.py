"""How long rows are: figures and a histogram out of a count of lengths."""

import math
from collections import Counter
from collections.abc import Iterator

from tunesmith.registry.v1 import dataset_statistics_pb2

# Bins of equal width up to the 99th percentile, and one bin for the few that are longer: a single row of a million tokens would
# otherwise put all others into the first bin.
BINS = 20
_STEPS = (1, 2, 5, 10)


class Lengths:
    """Rows by their length in tokens."""

    def __init__(self) -> None:
        self._rows: Counter[int] = Counter()

    def add(self, tokens: int) -> None:
        """Count a row."""
        self._rows[tokens] += 1

    @property
    def row_count(self) -> int:
        return self._rows.total()

    @property
    def token_count(self) -> int:
        return sum(length * rows for length, rows in self._rows.items())

    def percentile(self, share: float) -> int:
        """The least length that so large a share of the rows is not longer than; 0 without rows."""
        wanted, seen = share * self.row_count, 0
        for length in sorted(self._rows):
            seen += self._rows[length]
            if seen >= wanted:
                return length
        return 0

    def histogram(self, longest: int) -> list[dataset_statistics_pb2.TokenBin]:
        """Bins of a width that is easy to read (1, 2, 5, 10, 20, …), the last one ending with the longest row."""
        if not self._rows:
            return []
        longest = max(longest, max(self._rows))
        edges = [*self._edges(longest), longest + 1]
        counts = [0] * (len(edges) - 1)
        place = 0
        for length in sorted(self._rows):
            while length >= edges[place + 1]:
                place += 1
            counts[place] += self._rows[length]
        return [
            dataset_statistics_pb2.TokenBin(lower=lower, upper=upper, row_count=count)
            for lower, upper, count in zip(edges, edges[1:], counts, strict=False)
        ]

    def _edges(self, longest: int) -> Iterator[int]:
        """Where bins begin."""
        shortest, usual = min(self._rows), self.percentile(0.99)
        width = nice_width(max(1, usual - shortest + 1))
        begin = shortest // width * width
        while begin <= usual:
            yield begin
            begin += width
        if begin <= longest:
            yield begin


def nice_width(span: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50, … of which BINS cover a span."""
    least = max(1.0, span / BINS)
    magnitude = 10 ** math.floor(math.log10(least))
    return next(step * magnitude for step in _STEPS if step * magnitude >= least)
