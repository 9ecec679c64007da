"""The memory that the C library keeps for this process."""

import ctypes
import sys

# For a process that trains, before it starts: a thread that is not the first gets heaps of its own, in pieces of 64 MiB whose
# gaps differ from run to run. One job in such heaps held 638 to 956 MiB in five runs; in the process's one heap, 608 to 662.
ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}


def trim() -> None:
    """Do what glibc does not by itself: without it a job seems to hold what it has freed, and the next one to need less."""
    if sys.platform == "linux":
        give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if give_back is not None:
            give_back(0)
