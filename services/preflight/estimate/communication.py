"""What several devices tell one another, roughly: every figure here is an assumption, and estimates say so."""

from tunesmith.config.v1 import hardware_pb2

from services.preflight.estimate.parameters import parameters_of
from services.preflight.estimate.speed import Speed
from services.preflight.estimate.workload import Workload

# Of the passes' time, how much hides communication behind it; and what is never hidden.
HIDDEN, NEVER_HIDDEN = 0.6, 0.1
# A link that nothing is known about, such as PCIe 4 with 16 lanes.
UNKNOWN_LINK_BYTES_PER_S = 25e9
REMARK = "several devices: communication is assumed to hide behind six tenths of the computing, at the rate of their links"

_SPLITS_WEIGHTS = (hardware_pb2.DISTRIBUTION_STRATEGY_FSDP, hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_3)


def exposed_seconds(workload: Workload, speed: Speed, pass_seconds: float) -> float:
    """What communication adds to a step whose passes take so long; 0 on one device."""
    count = workload.device_count
    if count <= 1:
        return 0.0
    link = speed.spec.link_bandwidth if speed.spec is not None else UNKNOWN_LINK_BYTES_PER_S
    seconds = _bytes_sent(workload) * (count - 1) / count / link
    return max(seconds - HIDDEN * pass_seconds, NEVER_HIDDEN * seconds)


def _bytes_sent(workload: Workload) -> float:
    """Of one device in one step. Gradients are summed up and spread (twice their size) at its end; weights that are split are
    gathered on each way, in every batch (once their size)."""
    parameters = parameters_of(workload)
    gradients = 2.0 * parameters.trained * (4 if workload.execution.trained_dtype == "float32" else 2)
    if workload.strategy not in _SPLITS_WEIGHTS:
        return gradients
    bits = workload.execution.quantization_bits
    width = bits / 8 if bits else workload.compute_width
    return gradients / 2 + 2 * workload.accumulation * parameters.total * width
