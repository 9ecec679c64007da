"""The memory estimate: phases, their peak, and what is told with it."""

from collections.abc import Callable
from dataclasses import replace

from tunesmith.config.v1 import job_configuration_pb2
from tunesmith.preflight.v1 import estimate_pb2

from services.preflight.estimate.allocator import reserved_beyond
from services.preflight.estimate.host import held_beyond
from services.preflight.estimate.parameters import parameters_of
from services.preflight.estimate.phases import COMPONENTS, Parts, Phases, total
from services.preflight.estimate.workload import Workload
from services.preflight.methods import may_hold_masters
from workers.providers.execution import Execution

# Nineteen in twenty runs, until this installation's own jobs say more: of a GPU's allocator, of a process's memory, and of a
# model of which only the sizes are known.
GPU_MARGIN, CPU_MARGIN, UNKNOWN_MARGIN = 0.07, 0.15, 0.3
_GIGABYTE = 1e9


def estimate_memory(workload: Workload, own: Execution | None = None) -> estimate_pb2.MemoryEstimate:
    """By formulas, in about a millisecond.

    `own`: how the provider's own trainer runs it, where the workload's execution is a plain loop; it is told besides, and the
    interval reaches down to it.
    """
    phases, parameters = Phases(workload), parameters_of(workload)
    told = {name: _told(name, _with_overhead(workload, phases, parts)) for name, parts in phases.parts.items()}
    peak = max(told.values(), key=lambda phase: phase.bytes)
    steady = phases.steady
    plain = workload.execution.all_logits
    known = workload.architecture.known
    margin = UNKNOWN_MARGIN if not known else CPU_MARGIN if workload.on_cpu else GPU_MARGIN
    made = estimate_pb2.MemoryEstimate(
        peak_bytes=peak.bytes,
        low_bytes=round(peak.bytes * (1 - margin)),
        high_bytes=round(peak.bytes * (1 + margin)),
        components=peak.components,
        phases=told.values(),
        steady_bytes=round(total(steady)),
        device_count=workload.device_count,
        basis=estimate_pb2.BASIS_PLAIN_LOOP if plain else estimate_pb2.BASIS_CLOSED_FORM,
        confidence=estimate_pb2.CONFIDENCE_MEDIUM if known else estimate_pb2.CONFIDENCE_LOW,
        remarks=_remarks(workload),
        parameter_count=parameters.total,
        trainable_parameter_count=parameters.trained,
    )
    if workload.device.memory_bytes:
        made.device_bytes = workload.device.memory_bytes
    if own is not None and plain and not own.all_logits:
        of_own = estimate_memory(replace(workload, execution=own))
        made.low_bytes = min(made.low_bytes, of_own.low_bytes)
        made.remarks.append(
            f"The provider's own trainer computes the loss in parts and needs about {of_own.peak_bytes / _GIGABYTE:.1f} GB; "
            "the figure is for a plain loop that holds all logits, as long as no pool has this device."
        )
    return made


def decide_master_weights(
    workload: Workload, execution_of: Callable[[job_configuration_pb2.JobConfiguration], Execution]
) -> bool:
    """Whether float32 master weights fit the device, which is what an unset `model.master_weights` becomes.

    Yes where nobody knows the device, and where it makes no difference.
    """
    configuration = workload.configuration
    if not may_hold_masters(configuration) or not workload.device.memory_bytes:
        return True
    tried = job_configuration_pb2.JobConfiguration()
    tried.CopyFrom(configuration)
    tried.model.master_weights = True
    held = replace(workload, configuration=tried, execution=execution_of(tried))
    return estimate_memory(held).high_bytes <= workload.device.memory_bytes


def _with_overhead(workload: Workload, phases: Phases, parts: Parts) -> Parts:
    state = phases.share.state
    held = state.weights + state.adapters + state.optimizer
    passing = parts["gradients"] + parts["activations"] + parts["logits"]
    on_gpu = reserved_beyond(held, passing, _tensor_count(workload))
    beyond = held_beyond(held + passing, _scattered(workload, phases)) if workload.on_cpu else on_gpu
    return parts | {"overhead": parts["overhead"] + beyond}


def _scattered(workload: Workload, phases: Phases) -> float:
    architecture = workload.architecture
    drops = architecture.residual_dropout > 0 or architecture.attention_dropout > 0
    return architecture.layer_count * phases.activations.last_layer if workload.execution.checkpointing and drops else 0.0


def _tensor_count(workload: Workload) -> int:
    architecture = workload.architecture
    return 3 * architecture.layer_count * (len(architecture.linears) + sum(architecture.norms))


def _told(name: str, parts: Parts) -> estimate_pb2.MemoryPhase:
    components = [estimate_pb2.MemoryComponent(name=each, bytes=round(parts[each])) for each in COMPONENTS]
    return estimate_pb2.MemoryPhase(name=name, bytes=sum(each.bytes for each in components), components=components)


def _remarks(workload: Workload) -> list[str]:
    execution, architecture = workload.execution, workload.architecture
    remarks = []
    if not architecture.known:
        remarks.append(
            "The model's modules are not known yet, so a layer is taken for one of the usual kind: gated, with RMS norms; "
            "a pool that builds it from its configuration makes this exact."
        )
    if architecture.expert_count:
        remarks.append("Tokens are taken to spread evenly over the experts.")
    if not architecture.fused_attention:
        remarks.append("The model has no attention without its score matrix, which grows with the square of the sequence.")
    if execution.paged and not workload.on_cpu:
        remarks.append("Paged optimiser states are counted in full; they move to main memory where the GPU is full.")
    if not workload.on_cpu:
        remarks.append("The driver's context comes on top: it is no memory of the allocator.")
    if workload.device_count > 1:
        remarks.append(f"Of one of {workload.device_count} devices; activations are never split.")
    return remarks
