"""What is held from step to step: weights, adapters, gradients, optimiser states."""

from dataclasses import dataclass

from services.preflight.estimate.asked import asked_weight_bytes
from services.preflight.estimate.parameters import Parameters, parameters_of
from services.preflight.estimate.targets import Adapters
from services.preflight.estimate.workload import Workload
from workers.providers.execution import ADAMW, BYTES

# QLoRA's NF4: half a byte, a 32-bit scale for each 64; with double quantization an 8-bit scale for each 64 and a 32-bit one for
# each 256 of these (Dettmers 2023, §3).
NF4_BYTES = 0.5 + 4 / 64
NF4_DOUBLE_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
# LLM.int8: a byte, and a 32-bit scale for each row of the output.
INT8_BYTES, INT8_ROW_BYTES = 1, 4
# bitsandbytes: a byte for each of two states, and a 32-bit scale for each 256 of them; 32 bits for small tensors and embeddings.
EIGHT_BIT_BYTES = 2 * (1 + 4 / 256)
EIGHT_BIT_MINIMUM = 4096
WIDE_STATE_BYTES = 8
TORCH_STATES = 2
_EIGHT, _FOUR = 8, 4


@dataclass(frozen=True)
class State:
    """Bytes of the whole model, before they are split over devices."""

    weights: float
    adapters: float
    # When all of them exist.
    gradients: float
    optimizer: float
    # What the optimiser's step allocates and sets free again.
    optimizer_temporary: float


def state_of(workload: Workload) -> State:
    """Sums over the model's weights, by what each is held in."""
    execution, parameters = workload.execution, parameters_of(workload)
    adapters = parameters.adapter * BYTES[execution.adapter_dtype]
    gradients = parameters.trained_base * workload.held_width + adapters
    temporary = 0.0
    if execution.optimizer == ADAMW:
        # On a GPU torch's own AdamW goes over all tensors at once and makes the roots of all second moments; on a CPU one by one.
        temporary = 2 * largest_bytes(workload) if workload.on_cpu else gradients
    return State(
        weights=weight_bytes(workload) + asked_weight_bytes(workload),
        adapters=adapters,
        gradients=gradients,
        optimizer=optimizer_bytes(workload, parameters),
        optimizer_temporary=temporary,
    )


def weight_bytes(workload: Workload) -> float:
    """The base model's own weights; of a quantized one, everything but the products of the layers stays in 16 bits."""
    architecture, execution = workload.architecture, workload.execution
    count = architecture.parameter_count
    if workload.full or not execution.quantization_bits:
        return count * workload.held_width
    quantized = min(architecture.layer_linear_parameters, count)
    rest = (count - quantized) * BYTES[execution.frozen_dtype]
    if execution.quantization_bits == _EIGHT:
        rows = sum(linear.output_size * linear.count for linear in architecture.linears)
        return quantized * INT8_BYTES + rows * INT8_ROW_BYTES + rest
    return quantized * (NF4_DOUBLE_BYTES if execution.double_quantization else NF4_BYTES) + rest


def largest_bytes(workload: Workload) -> float:
    """The largest tensor that is trained."""
    architecture, adapters = workload.architecture, Adapters.of(workload.configuration)
    if workload.full:
        sizes = [architecture.embedding_parameters, *(linear.input_size * linear.output_size for linear in architecture.linears)]
        return max(sizes) * workload.held_width
    width = BYTES[workload.execution.adapter_dtype]
    beside = [max(linear.input_size, linear.output_size) for linear in architecture.linears if adapters.stands_beside(linear)]
    return max(beside, default=0) * adapters.rank * width


def optimizer_bytes(workload: Workload, parameters: Parameters) -> float:
    """AdamW's two moments of all that is trained."""
    execution = workload.execution
    if execution.optimizer_bits == _EIGHT:
        wide = _kept_wide(workload, parameters)
        return wide * WIDE_STATE_BYTES + (parameters.trained - wide) * EIGHT_BIT_BYTES
    if execution.paged:
        # bitsandbytes keeps its moments in 32 bits, whatever the weights are in.
        return parameters.trained * WIDE_STATE_BYTES
    width = BYTES[execution.adapter_dtype]
    return TORCH_STATES * (parameters.trained_base * workload.held_width + parameters.adapter * width)


def _kept_wide(workload: Workload, parameters: Parameters) -> int:
    """Parameters whose 8-bit optimiser keeps 32 bits: small tensors, and embeddings, as transformers asks for."""
    architecture = workload.architecture
    if parameters.trained_base:
        return min(parameters.trained_base, architecture.embedding_parameters + architecture.small_parameters)
    adapters = Adapters.of(workload.configuration)
    wide = 0
    for linear in (*architecture.linears, *architecture.outer_linears):
        if adapters.stands_beside(linear):
            factors = linear.input_size * adapters.rank, linear.output_size * adapters.rank
            wide += sum(size for size in factors if size < EIGHT_BIT_MINIMUM) * linear.count
    return wide
