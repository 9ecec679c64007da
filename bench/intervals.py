"""A median and how far it can be trusted, without supposing any distribution."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """The median of so many values, and an interval that holds the true median with probability `coverage`.

    With fewer than six values the widest interval there is, from the least to the greatest, covers less than 95 %.
    """

    median: float
    low: float
    high: float
    coverage: float
    count: int


def estimate(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """The narrowest symmetric interval of order statistics that covers the median with at least this probability.

    From the k-th least to the k-th greatest of n independent values it covers 1 - 2 P(B < k), B binomial with n and 1/2
    (Conover, Practical Nonparametric Statistics, chapter 3.2). Raises ValueError without values or with one that isn't finite.
    """
    if not values or not all(math.isfinite(value) for value in values):
        raise ValueError(f"a median needs finite values, at least one; got {list(values)}")
    ordered, count = sorted(values), len(values)
    depth = 1
    while depth < (count + 1) // 2 and coverage(count, depth + 1) >= level:
        depth += 1
    return Estimate(statistics.median(ordered), ordered[depth - 1], ordered[-depth], coverage(count, depth), count)


def coverage(count: int, depth: int) -> float:
    """How probably the true median lies between the `depth`-th least and the `depth`-th greatest of so many values."""
    below = sum(math.comb(count, hits) for hits in range(depth))
    return max(0.0, 1.0 - 2.0 * below / 2**count)
