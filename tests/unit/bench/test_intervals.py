"""Medians and their intervals, beside printed tables and beside what happens when one draws at random."""

import random

import pytest

from bench.intervals import coverage, estimate

# Depths and confidences of the 95 % interval of a median: the binomial distribution with one half, as in printed tables.
TABLE = [
    (6, 1, 0.96875),
    (7, 1, 0.984375),
    (8, 1, 0.9921875),
    (9, 2, 0.9609375),
    (10, 2, 0.978515625),
    (15, 4, 0.96484375),
    (20, 6, 0.958610534667969),
    (30, 10, 0.957226),
]


@pytest.mark.parametrize(("count", "depth", "covered"), TABLE, ids=[str(row[0]) for row in TABLE])
def test_an_interval_is_that_of_the_table(count: int, depth: int, covered: float) -> None:
    found = estimate([float(value) for value in random.Random(count).sample(range(1, count + 1), count)])
    assert (found.low, found.high) == (depth, count + 1 - depth)
    assert found.coverage == pytest.approx(covered, abs=1e-6)
    assert found.median == (count + 1) / 2
    assert found.count == count


def test_a_lower_level_gives_a_narrower_interval() -> None:
    values = [float(value) for value in range(1, 8)]
    assert (estimate(values, level=0.8).low, estimate(values, level=0.8).high) == (2.0, 6.0)
    assert coverage(7, 2) == 0.875


def test_few_values_give_all_of_their_range_and_say_how_little_it_covers() -> None:
    found = estimate([3.0, 1.0, 2.0])
    assert (found.low, found.median, found.high, found.coverage) == (1.0, 2.0, 3.0, 0.75)
    assert estimate([4.0]).coverage == 0.0


def test_so_many_intervals_hold_the_median_of_what_they_are_drawn_from() -> None:
    draw, runs = random.Random(3), 4000
    # Skewed, so that a rule made for the normal distribution would be off.
    true_median = 0.6931471805599453
    samples = ([draw.expovariate(1.0) for _ in range(7)] for _ in range(runs))
    held = sum(found.low <= true_median <= found.high for found in map(estimate, samples))
    assert held / runs == pytest.approx(coverage(7, 1), abs=0.008)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]], ids=["none", "nan", "inf"])
def test_what_has_no_median_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        estimate(values)
