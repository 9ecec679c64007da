"""Lengths, repeats and samples, each beside a way that is slower and plainly right."""

import random
import statistics

import pytest

from services.registry.statistics.lengths import BINS, Lengths, nice_width
from services.registry.statistics.repeats import Repeats
from services.registry.statistics.sample import LONGEST_ROWS, SAMPLE_ROWS, Longest, drawn


def lengths_of(values: list[int]) -> Lengths:
    lengths = Lengths()
    for value in values:
        lengths.add(value)
    return lengths


SPREADS = {
    "one row": [7],
    "equal rows": [512] * 1000,
    "empty rows": [0, 0, 0],
    "even": list(range(1000)),
    "a long tail": [*random.Random(1).choices(range(50, 300), k=2000), 60_000],
    "lognormal": [int(random.Random(index).lognormvariate(5, 1)) for index in range(3000)],
}


@pytest.mark.parametrize("name", SPREADS)
def test_percentiles_are_those_of_the_sorted_rows(name: str) -> None:
    values = sorted(SPREADS[name])
    lengths = lengths_of(values)
    assert (lengths.row_count, lengths.token_count) == (len(values), sum(values))
    assert lengths.percentile(0.5) == statistics.median_low(values)
    for share in (0.95, 0.99, 1.0):
        found = lengths.percentile(share)
        assert sum(value <= found for value in values) >= share * len(values)
        assert sum(value < found for value in values) < share * len(values)


@pytest.mark.parametrize("name", SPREADS)
def test_bins_follow_each_other_and_hold_every_row_once(name: str) -> None:
    values = SPREADS[name]
    bins = lengths_of(values).histogram(max(values))
    assert [each.upper for each in bins[:-1]] == [each.lower for each in bins[1:]]
    assert [sum(each.lower <= value < each.upper for value in values) for each in bins] == [each.row_count for each in bins]
    assert sum(each.row_count for each in bins) == len(values)
    assert bins[-1].upper == max(values) + 1 and bins[0].lower <= min(values)
    assert len(bins) <= BINS + 2
    widths = {each.upper - each.lower for each in bins[:-1]}
    assert len(widths) <= 1


def test_one_long_row_leaves_the_others_apart() -> None:
    bins = lengths_of(SPREADS["a long tail"]).histogram(60_000)
    assert len(bins) > 10 and (bins[-1].row_count, bins[-1].upper) == (1, 60_001)


def test_a_longest_row_outside_the_sample_ends_the_last_bin() -> None:
    bins = lengths_of([10, 20]).histogram(500)
    assert bins[-1].upper == 501 and bins[-1].row_count == 0


def test_widths_are_easy_to_read() -> None:
    assert [nice_width(span) for span in (1, 20, 21, 40, 41, 100, 101, 1000, 12_345)] == [1, 1, 2, 2, 5, 5, 10, 50, 1000]


@pytest.mark.parametrize("limit_bytes", [16, 1600, 10**9])
def test_repeats_are_counted_exactly_in_whatever_memory(limit_bytes: int) -> None:
    rows = [str(number).encode() for number in random.Random(3).choices(range(70), k=200)]
    repeats = Repeats(limit_bytes)
    for row in rows:
        repeats.add(row)
    assert repeats.count() == len(rows) - len(set(rows)) > 100


def test_a_small_file_is_looked_at_whole_and_a_large_one_in_part() -> None:
    assert list(drawn(1000, 500_000, "a")) == list(range(1000))
    numbers = list(drawn(1_000_000, 500_000_000, "a"))
    assert len(numbers) == len(set(numbers)) == SAMPLE_ROWS and numbers == sorted(numbers)
    assert abs(statistics.mean(numbers) - 500_000) < 20_000
    assert list(drawn(1_000_000, 500_000_000, "a")) == numbers != list(drawn(1_000_000, 500_000_000, "b"))
    # Rows of a MiB each: by their bytes, and never fewer than a hundred.
    assert len(list(drawn(10_000, 10_000 * 1024**2, "a"))) == 100


def test_the_longest_texts_are_kept() -> None:
    longest = Longest()
    for number in range(100):
        longest.offer(number, number, "x", 0)
    assert sorted(byte_count for byte_count, _, _ in longest) == list(range(100 - LONGEST_ROWS, 100))
