"""What batches of rows of certain lengths come to: how much of them is padding, and how many rows fit into one sequence."""

from bisect import bisect_left, insort
from collections.abc import Sequence

from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics

# As many rows as trl packs at a time.
MOST_SAMPLED = 1000


def sampled_lengths(statistics: DatasetStatistics | None, limit: int) -> list[int]:
    """Lengths of rows as they are spread over the histogram, cut at `limit`, the shortest first; empty if nobody has counted."""
    bins = [one for one in statistics.token_histogram if one.row_count] if statistics is not None else []
    rows = sum(one.row_count for one in bins)
    sampled: list[int] = []
    seen = 0
    for one in bins:
        # So many of the sample lie before this bin's end.
        seen += one.row_count
        count = round(min(rows, MOST_SAMPLED) * seen / rows) - len(sampled)
        width = one.upper - one.lower
        sampled += (max(1, min(limit, one.lower + int(width * (place + 0.5) / count))) for place in range(count))
    return sampled


def padding_share(lengths: Sequence[int], batch_size: int) -> float:
    """Share of padding in batches of rows drawn at random, each padded to its longest: one less mean length over mean longest.

    Of n sorted lengths, the i-th is the longest of B with the probability (i/n)^B - ((i-1)/n)^B.
    """
    n = len(lengths)
    longest = sum(length * ((i / n) ** batch_size - ((i - 1) / n) ** batch_size) for i, length in enumerate(lengths, start=1))
    return 1 - sum(lengths) / n / longest


def documents_per_row(lengths: Sequence[int], row_tokens: int) -> float:
    """Documents of one packed row on average, by best fit decreasing: each into the fullest row that it still fits into."""
    spaces: list[int] = []
    rows = 0
    for length in sorted(lengths, reverse=True):
        place = bisect_left(spaces, length)
        if place == len(spaces):
            rows += 1
            space = row_tokens
        else:
            space = spaces.pop(place)
        insort(spaces, space - length)
    return len(lengths) / rows
