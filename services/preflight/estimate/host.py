"""What a process on a CPU holds beyond its tensors.

The C library's allocator maps blocks of 32 MiB and more one by one and gives them back; smaller ones lie in a heap (workers.heap
sees to it that there is one), where what was freed leaves gaps that the next tensor may not fit, until there are enough of every
size. Compiled kernels and their packed copies of weights stay too. All figures were found with the seen half of `bench.memory`,
whose unseen half judges them.
"""

_MIB = 2**20
# What kernels keep, however little a job holds; then a part of what tensors hold, and the most of both that was found.
_KEPT_BYTES = 30 * _MIB
_GAPS = 0.3
_MOST_BYTES = 170 * _MIB
# Part of what layers hold that are computed again and drop elements out, all layers together, and the most that was found. With
# MALLOC_MMAP_THRESHOLD_ at 64 KiB, where no block lies in the heap, these bytes vanish, and a step takes half as long again.
_SCATTERED = 0.3
_MOST_SCATTERED_BYTES = 250 * _MIB


def held_beyond(held: float, scattered: float) -> float:
    """Bytes beyond the `held` ones of tensors; `scattered` are those of layers that are computed again and have dropout."""
    return min(_KEPT_BYTES + held * _GAPS, _MOST_BYTES) + min(scattered * _SCATTERED, _MOST_SCATTERED_BYTES)
