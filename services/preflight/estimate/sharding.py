"""What one of several devices holds of a run's state."""

from dataclasses import dataclass, replace

from tunesmith.config.v1 import hardware_pb2

from services.preflight.estimate.state import State
from services.preflight.estimate.workload import Workload

# DeepSpeed's default: elements of a bucket of gradients, 2 bytes each, one being filled and one being sent.
ZERO_BUCKET_BYTES = 2 * 500_000_000
_DDP = hardware_pb2.DISTRIBUTION_STRATEGY_DDP
_ZERO_1 = hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_1
_ZERO_2 = hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_2
_WHOLE = (hardware_pb2.DISTRIBUTION_STRATEGY_FSDP, hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_3)


@dataclass(frozen=True)
class Share:
    """One device's part of the state, and what splitting takes besides."""

    state: State
    # Buckets, and units that are gathered while they are computed with.
    communication: float


def share_of(workload: Workload, state: State) -> Share:
    """ZeRO (Rajbhandari 2020): 1 splits the optimiser's states, 2 gradients too, 3 and FSDP the weights as well. Activations are
    never split."""
    count = workload.device_count
    if count <= 1:
        return Share(state, 0.0)
    split = replace(state, optimizer=state.optimizer / count, optimizer_temporary=state.optimizer_temporary / count)
    if workload.strategy == _DDP:
        # Gradients are copied into buckets before they are averaged.
        return Share(state, state.gradients)
    if workload.strategy == _ZERO_1:
        return Share(split, min(state.gradients, ZERO_BUCKET_BYTES))
    if workload.strategy == _ZERO_2:
        return Share(replace(split, gradients=state.gradients / count), min(state.gradients, ZERO_BUCKET_BYTES))
    if workload.strategy in _WHOLE:
        split = replace(split, gradients=state.gradients / count, weights=state.weights / count, adapters=state.adapters / count)
        return Share(split, _gathered(workload, state))
    return Share(state, 0.0)


def _gathered(workload: Workload, state: State) -> float:
    """Two units in the width that is computed in, one in use and one on its way, and the gradients of one."""
    architecture = workload.architecture
    outside = max(architecture.embedding_parameters, architecture.head_parameters)
    layer = architecture.layer_linear_parameters / max(1, architecture.layer_count)
    largest = max(outside, layer)
    width: float = workload.compute_width
    if workload.execution.quantization_bits:
        width = state.weights / max(1, architecture.parameter_count)
    return 2 * largest * width + (largest * workload.held_width if workload.full else 0)
