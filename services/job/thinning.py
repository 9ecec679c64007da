"""A long series as few points that draw the same curve."""

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from tunesmith.job.v1 import metric_pb2

# Points that are taken in one go: other threads wait meanwhile.
PART = 5_000


class Columns:
    """The points of one series. They stay columns: an object a point takes longer to make than everything else together."""

    def __init__(self, chunk: metric_pb2.MetricChunk) -> None:
        """Take points in the order in which they were reported. Of two of one step the one reported later stands."""
        self.steps, self.values, self.times_ms = array("q"), array("d"), array("q")
        rises = True
        for begin in range(0, len(chunk.steps), PART):
            self.steps.extend(chunk.steps[begin : begin + PART])
            self.values.extend(chunk.values[begin : begin + PART])
            self.times_ms.extend(chunk.times_ms[begin : begin + PART])
            # From the last step of the part before on.
            steps = self.steps[max(0, begin - 1) :]
            rises = rises and all(map(int.__lt__, steps, steps[1:]))
        if not rises:
            latest = dict(zip(self.steps, range(len(self.steps)), strict=True))
            order = [latest[step] for step in sorted(latest)]
            self.steps = array("q", map(self.steps.__getitem__, order))
            self.values = array("d", map(self.values.__getitem__, order))
            self.times_ms = array("q", map(self.times_ms.__getitem__, order))

    def thinned(self, most: int, after_step: int | None = None) -> list[tuple[int, float, int]]:
        """Step, value and time of at most so many points after a step: the first, the last, and the least and the greatest of
        equal stretches of steps. A value that is no number counts as an extreme of its own."""
        begin = 0 if after_step is None else bisect_right(self.steps, after_step)
        return [(self.steps[place], self.values[place], self.times_ms[place]) for place in self._kept(begin, most)]

    def _kept(self, begin: int, most: int) -> Sequence[int]:
        end = len(self.steps)
        if end - begin <= most:
            return range(begin, end)
        if most == 1:
            return [end - 1]
        # A sum is no number if any of its parts is none.
        extremes = 3 if math.isnan(sum(self.values[begin:end])) else 2
        stretches = self._stretches(begin, end - 1, (most - 2) // extremes)
        return [begin, *(place for first, last in stretches for place in self._extremes(first, last)), end - 1]

    def _stretches(self, first: int, last: int, count: int) -> Iterator[tuple[int, int]]:
        """What lies between two places, in parts of an equal number of steps; parts without a point are left out."""
        low, span = self.steps[first], self.steps[last] - self.steps[first]
        begin = first + 1
        for number in range(1, count + 1):
            end = bisect_right(self.steps, low + span * number // count, begin, last)
            if end > begin:
                yield begin, end
            begin = end

    def _extremes(self, begin: int, end: int) -> list[int]:
        """The places of the least value, the greatest, and the first that is no number, in their order."""
        numbers = values = self.values[begin:end].tolist()
        places = set()
        if math.isnan(sum(values)):
            numbers = [value for value in values if not math.isnan(value)]
            places.update([place for place, value in enumerate(values) if math.isnan(value)][:1])
        if numbers:
            places |= {values.index(min(numbers)), values.index(max(numbers))}
        return sorted(begin + place for place in places)
