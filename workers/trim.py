"""Giving memory that is free in this process back to the machine."""

import ctypes
import sys


def trim() -> None:
    """Do what glibc does not by itself: without it a job seems to hold what it has freed, and the next one to need less."""
    if sys.platform == "linux":
        give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if give_back is not None:
            give_back(0)
