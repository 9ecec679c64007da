"""How fast the machine is just now: fixed work whose speed has nothing to do with what is measured.

Shared machines differ from minute to minute. A round whose witness is slow tells of the machine, not of the code.
"""

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np

REPEATS = 3
HASH_MIB = 32
MATRIX_SIZE = 1024
SYNCS = 10
_PAGE = bytes(4096)


def witness() -> dict[str, float]:
    """One core's hashing, every core's multiplying, and the disk's acknowledging, each the median of a few."""
    block = bytes(HASH_MIB * 1024**2)
    matrix = np.ones((MATRIX_SIZE, MATRIX_SIZE), dtype=np.float32)
    hashing = statistics.median(_seconds(lambda: hashlib.sha256(block)) for _ in range(REPEATS))
    multiplying = statistics.median(_seconds(lambda: matrix @ matrix) for _ in range(REPEATS))
    return {
        "sha256_mib_per_s": HASH_MIB / hashing,
        "matmul_gflop_per_s": 2 * MATRIX_SIZE**3 / multiplying / 1e9,
        "fsync_ms": 1000 * _sync_seconds(),
    }


def _sync_seconds() -> float:
    with tempfile.TemporaryFile(buffering=0) as file:

        def write() -> None:
            file.write(_PAGE)
            os.fsync(file.fileno())

        return statistics.median(_seconds(write) for _ in range(SYNCS))


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
