"""Workloads and speeds that tests of time start from."""

from dataclasses import replace
from typing import Any

from tunesmith.pool.v1 import device_measurement_pb2, pool_pb2

from services.preflight.estimate.operations import BF16, FP32
from services.preflight.estimate.speed import Speed
from services.preflight.estimate.workload import Workload
from tests.unit.services.preflight.memory.models import CPU, configuration, workload

SIZES = (8, 128, 512, 2048)
FP32_RATE, BF16_RATE, MEMORY_RATE = 100e9, 400e9, 50e9


def measured() -> pool_pb2.Device:
    """A processor that multiplies and moves at the same rate whatever the size."""
    device = pool_pb2.Device(kind=CPU, name="chip", core_count=2, memory_bytes=16 << 30)
    found = device.measurement
    for precision, rate in ((FP32, FP32_RATE), (BF16, BF16_RATE)):
        for m in (256, 4096):
            for n in SIZES:
                for k in SIZES:
                    found.matmul_rates.add(precision=precision, m=m, n=n, k=k, flops_per_second=rate)
    found.memory_bytes_per_second = MEMORY_RATE
    found.operation_seconds = 1e-6
    for size in (1 << 16, 1 << 20, 1 << 24):
        found.memory_rates.add(bytes=size, bytes_per_second=MEMORY_RATE)
    found.attention_flops_per_second = FP32_RATE
    found.random_numbers_per_second = 2e8
    found.fresh_bytes_per_second = 3e9
    return device


def run(
    method: str = "LORA",
    precision: str = "FP32",
    *features: str,
    name: str = "llama",
    rows: int | None = 100,
    device: pool_pb2.Device | None = None,
    row_tokens: int = 256,
    mean_tokens: float = 0.0,
    count: int = 1,
    **options: Any,
) -> Workload:
    """A job on the provider's own trainer, on the measured processor unless another device is given."""
    made = workload(
        name,
        configuration(method, precision, *features, **options),
        all_logits=False,
        kind=CPU,
        row_tokens=row_tokens,
        mean_tokens=mean_tokens,
        count=count,
    )
    return replace(made, device=device or measured(), row_count=rows)


def speed(device: pool_pb2.Device | None = None) -> Speed:
    """Of the measured processor, or of another device that something is known of."""
    found = Speed.of(device or measured())
    assert found is not None
    return found


Measurement = device_measurement_pb2.DeviceMeasurement
