"""What a process on a CPU holds beyond its tensors.

The C library's allocator maps blocks of 32 MiB and more one by one and gives them back; smaller ones lie in heaps, where what was
freed leaves gaps that the next tensor may not fit, until there are enough of every size. Compiled kernels and their packed copies
of weights stay too. Both figures were found with the seen half of `bench.memory`, whose unseen half judges them.
"""

_MIB = 2**20
# Part of what tensors hold, as long as that is little, and the most that was found.
_GAPS = 0.5
_MOST_BYTES = 200 * _MIB


def held_beyond(held: float) -> float:
    """Bytes beyond the `held` ones of tensors."""
    return min(held * _GAPS, _MOST_BYTES)
