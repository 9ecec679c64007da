"""The GPUs that torch sees."""

import torch
from tunesmith.pool.v1 import pool_pb2


def limit_memory(share: float) -> None:
    """Let torch's allocator have so much of each GPU that this process sees, and no more."""
    for index in range(torch.cuda.device_count()):
        torch.cuda.set_per_process_memory_fraction(share, index)


def gpus(*, partition: bool = False) -> list[pool_pb2.Device]:
    """The GPUs that this process sees, or the partition of one; none on a machine without."""
    properties = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [
        pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name=device.name, memory_bytes=device.total_memory, partition=partition)
        for device in properties
    ]
