"""Half precision on pools that have no GPU to scale its loss on."""

from collections.abc import Iterator

from tunesmith.config.v1 import model_pb2
from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CUDA
from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight.facts import Facts
from services.preflight.findings import error, fix, put
from services.preflight.placement import pools_of

PATH = "model.precision"


def check(facts: Facts) -> Iterator[Finding]:
    """FP16_NEEDS_GPU. Not while no pool is there: the one that comes may have a GPU."""
    pools = pools_of(facts)
    if facts.configuration.model.precision != model_pb2.MODEL_PRECISION_FP16 or not pools:
        return
    if any(device.kind == DEVICE_KIND_CUDA for pool in pools for device in pool.devices):
        return
    text = (
        "FP16 scales its loss, or small gradients vanish, and that works on a GPU only; no pool has one. "
        "Use BF16 or FP32, or start a pool with a GPU"
    )
    yield error("FP16_NEEDS_GPU", PATH, text, fix("Set precision to BF16", put(PATH, "MODEL_PRECISION_BF16")))
