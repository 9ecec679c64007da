"""Seconds of one optimiser step."""

from dataclasses import replace

from tunesmith.config.v1 import hardware_pb2

from services.preflight.estimate.activations import activations_of
from services.preflight.estimate.asked import asked_share
from services.preflight.estimate.batch import Batch, batch_of
from services.preflight.estimate.communication import exposed_seconds
from services.preflight.estimate.flops import add_products
from services.preflight.estimate.operations import Operations
from services.preflight.estimate.parameters import parameters_of
from services.preflight.estimate.speed import Speed
from services.preflight.estimate.traffic import add_traffic
from services.preflight.estimate.workload import Workload

# Operations that the trainer itself starts: fetching and moving a batch; at a step's end clipping, moving the weights, figures.
BATCH_STARTS, STEP_STARTS = 100, 250
# AdamW reads weight, gradient and two states and writes all but the gradient; clipping reads the gradients twice, writes once.
_ADAMW_WIDTHS, _CLIPPING_WIDTHS = 7, 3
# 8-bit states are read and written; the weight and its gradient as wide as they are.
_EIGHT_BIT_STATES = 4
_ADDING_WIDTHS = 3
LARGE_BYTES = 4 << 20


def step_seconds(workload: Workload, speed: Speed) -> float:
    """All batches of a step, what their devices tell one another, and the optimiser."""
    batch = batch_of(workload)
    passes = speed.seconds(pass_operations(workload, batch)) * workload.accumulation * (1 + asked_share(workload))
    optimizer = speed.seconds(optimizer_operations(workload))
    return passes + optimizer + exposed_seconds(workload, speed, passes)


def pass_operations(workload: Workload, batch: Batch) -> Operations:
    """One batch forward and back on one device."""
    operations = Operations(started=BATCH_STARTS)
    add_products(workload, batch, operations)
    add_traffic(workload, batch, operations)
    _add_fresh_memory(workload, batch, operations)
    if workload.accumulation > 1:
        trained = parameters_of(workload).trained
        share = (workload.accumulation - 1) / workload.accumulation
        operations.streamed_bytes += share * trained * _ADDING_WIDTHS * trained_width(workload)
    return operations


def _add_fresh_memory(workload: Workload, batch: Batch, operations: Operations) -> None:
    """What the way back needs goes back to the system behind every step. Large tensors are not counted: they come from the system
    each time, and their rate was measured that way."""
    if not workload.on_cpu:
        return
    hidden = batch.all_tokens * workload.architecture.hidden_size * workload.compute_width
    if hidden <= LARGE_BYTES:
        operations.fresh_bytes += activations_of(replace(workload, row_tokens=round(batch.tokens))).kept


def optimizer_operations(workload: Workload) -> Operations:
    """Clipping the gradients and moving the weights. Where weights are split over devices, each moves its own."""
    trained = parameters_of(workload).trained / (workload.device_count if splits_optimizer(workload) else 1)
    width = trained_width(workload)
    operations = Operations(started=STEP_STARTS)
    if workload.execution.optimizer_bits == 8:
        operations.streamed_bytes += trained * (3 * width + _EIGHT_BIT_STATES)
    else:
        operations.streamed_bytes += trained * width * _ADAMW_WIDTHS
    if workload.configuration.optimizer.max_gradient_norm > 0:
        operations.streamed_bytes += trained * width * _CLIPPING_WIDTHS
    return operations


def splits_optimizer(workload: Workload) -> bool:
    """Whether each device moves a part of the weights only: every strategy but plain data parallelism."""
    alone = (hardware_pb2.DISTRIBUTION_STRATEGY_UNSPECIFIED, hardware_pb2.DISTRIBUTION_STRATEGY_DDP)
    return workload.strategy not in alone


def trained_width(workload: Workload) -> int:
    """Bytes of a weight that moves."""
    dtype = workload.execution.trained_dtype if workload.full else workload.execution.adapter_dtype
    return 4 if dtype == "float32" else 2
