"""The GPUs that torch sees."""

import torch
from tunesmith.pool.v1 import pool_pb2


def gpus() -> list[pool_pb2.Device]:
    """This machine's GPUs; none on a machine without."""
    properties = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [
        pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name=device.name, memory_bytes=device.total_memory)
        for device in properties
    ]
