"""What a GPU's caching allocator takes from the driver beyond what tensors hold.

torch rounds blocks to 512 bytes and takes segments of 2 MiB for small ones, of 20 MiB for those of 1 to 10 MiB, and of whole
2 MiB for larger ones (c10/cuda/CUDACachingAllocator.cpp). Freed blocks are used again where they fit; else gaps stay.
"""

_BLOCK = 512
_SMALL_SEGMENT = 2 * 2**20
_MIDDLE_SEGMENT = 20 * 2**20
# Part of what comes and goes in a step that lies in gaps. Steps of one shape find the blocks of the step before them.
_GAPS = 0.015


def reserved_beyond(held: float, passing: float, tensor_count: int) -> float:
    """Bytes reserved beyond those held: `held` from step to step in `tensor_count` tensors, `passing` within one."""
    if held + passing <= 0:
        return 0.0
    rounding = tensor_count * _BLOCK / 2 + _SMALL_SEGMENT / 2 + _MIDDLE_SEGMENT / 2
    return rounding + passing * _GAPS
