"""Which rows a tokenizer looks at: all of them, or as many, drawn at random, as it reads in seconds."""

import heapq
import random
from collections.abc import Iterator

# 32 MiB of text take a tokenizer about ten seconds on one core. Drawn at random, ten thousand rows tell a mean within 2 %.
SAMPLE_ROWS = 10_000
SAMPLE_BYTES = 32 * 1024 * 1024
# Of a text that is longer only the beginning is tokenised, and its tokens are scaled up.
TEXT_CHARACTERS = 256 * 1024
# The longest rows are looked at whether they were drawn or not, so that the maximum is not a matter of luck.
LONGEST_ROWS = 8


def drawn(row_count: int, size_bytes: int, seed: str) -> Iterator[int]:
    """Numbers of the rows to look at, from 0 on, in their order; the same ones each time."""
    mean_bytes = max(1.0, size_bytes / max(1, row_count))
    wanted = min(row_count, max(100, min(SAMPLE_ROWS, int(SAMPLE_BYTES / mean_bytes))))
    if wanted == row_count:
        return iter(range(row_count))
    # Not for secrets: the sample has to be the same at every count.
    return iter(sorted(random.Random(seed).sample(range(row_count), wanted)))  # noqa: S311


class Longest:
    """The texts that are longest by their bytes."""

    def __init__(self) -> None:
        self._held: list[tuple[int, int, str, int]] = []

    def offer(self, byte_count: int, number: int, text: str, overhead: int) -> None:
        """Keep a text if it is among the longest."""
        if len(self._held) < LONGEST_ROWS:
            heapq.heappush(self._held, (byte_count, number, text[:TEXT_CHARACTERS], overhead))
        elif byte_count > self._held[0][0]:
            heapq.heapreplace(self._held, (byte_count, number, text[:TEXT_CHARACTERS], overhead))

    def __iter__(self) -> Iterator[tuple[int, str, int]]:
        """Bytes of the whole text, the text, tokens around it."""
        return ((byte_count, text, overhead) for byte_count, _, text, overhead in self._held)
