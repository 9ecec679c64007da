"""What numbers are held and multiplied in."""

from collections.abc import Iterator

from tunesmith.config.v1 import method_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.pool.v1 import device_measurement_pb2, pool_pb2

from services.preflight.defaults.suggestion import Circumstances, Suggestion

_PATH = "model.precision"
# A product of this many floating-point operations and more decides about a step's time; smaller ones are all overhead.
_LARGE_PRODUCT = 1_000_000_000


def of_model(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """The precision, by method and by what the device multiplies fastest."""
    if draft.method.type == method_pb2.TRAINING_METHOD_QLORA:
        yield Suggestion(_PATH, "MODEL_PRECISION_INT4", "QLoRA stores the frozen weights in 4 bits")
        return
    rates = _rates(circumstances.device)
    if rates is not None and rates[0] < rates[1]:
        bf16, fp32 = (f"{rate / 1e9:.0f}" for rate in rates)
        reason = f"this device multiplies faster in float32 ({fp32} GFLOP/s) than in bfloat16 ({bf16} GFLOP/s)"
        yield Suggestion(_PATH, "MODEL_PRECISION_FP32", reason)
        return
    yield Suggestion(_PATH, "MODEL_PRECISION_BF16", "half the memory of float32 with its range, and as fast or faster here")


def _rates(device: pool_pb2.Device | None) -> tuple[float, float] | None:
    """The device's best measured rates in bfloat16 and float32; None if it did not measure both."""
    if device is None:
        return None
    best = dict.fromkeys((device_measurement_pb2.MATMUL_PRECISION_BF16, device_measurement_pb2.MATMUL_PRECISION_FP32), 0.0)
    for rate in device.measurement.matmul_rates:
        if rate.precision in best and 2 * rate.m * rate.n * rate.k >= _LARGE_PRODUCT:
            best[rate.precision] = max(best[rate.precision], rate.flops_per_second)
    bf16, fp32 = best.values()
    return (bf16, fp32) if bf16 and fp32 else None
