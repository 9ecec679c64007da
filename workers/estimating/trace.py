"""The memory of a training step, from the model's own code, run on a few of its layers without weights and extended to all.

A model that has each kind of layer once is traced, then one more for each kind with that kind twice. What a part of the step
holds grows evenly with the number of layers of a kind, so the differences times the layers that are left give the whole model's
parts; the most of these is the phase's peak. The step's loss, checkpointing, adapters and mixed precision are those of the
execution that `workers.providers` describes; kernels are those of the device that is asked for (see cuda_choices).

Every token is taken to count in the loss; if fewer do, that saves time and next to no memory. Bytes are those that tensors hold:
what a driver, its libraries and an allocator's gaps take comes on top.
"""

import contextlib
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace

import structlog
from tunesmith.config.v1 import method_pb2
from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import inquiry_pb2

from services.chassis.errors import FailedPrecondition, ServiceError
from workers.estimating.adapted import refuse_untraceable
from workers.estimating.configured import read_configuration
from workers.estimating.fakes import DTYPES
from workers.estimating.layers import Stack, find_layers
from workers.estimating.ledger import NOTHING, Holding, Holdings
from workers.estimating.refused import Refused
from workers.estimating.skeleton import build
from workers.estimating.step import BACKWARD, FORWARD, MIDDLE, OPTIMIZER_STEP, Batch, step_peaks
from workers.providers.execution import Execution, plain_loop
from workers.providers.local.provider import LOCAL

MAX_TOKENS = 2**20
log = structlog.get_logger()
PHASES = (FORWARD, BACKWARD, OPTIMIZER_STEP)
_FIELDS = {
    Holding.WEIGHTS: "weight_bytes",
    Holding.ADAPTERS: "adapter_bytes",
    Holding.GRADIENTS: "gradient_bytes",
    Holding.OPTIMIZER: "optimizer_bytes",
    Holding.ACTIVATIONS: "activation_bytes",
    Holding.LOGITS: "logit_bytes",
}


def trace(question: inquiry_pb2.TraceQuestion) -> inquiry_pb2.Trace:
    """What each phase of a step holds when it is the most.

    Raises Refused for what is not traced, and FailedPrecondition, reason NOT_TRACEABLE, for models that don't let themselves be.
    """
    assert LOCAL.execution is not None
    execution = plain_loop(question.configuration) if question.all_logits else LOCAL.execution(question.configuration)
    if question.device_kind != pool_pb2.DEVICE_KIND_CUDA:
        # Activations are in main memory already.
        execution = replace(execution, offloading=False)
    return trace_execution(question, execution)


def trace_execution(question: inquiry_pb2.TraceQuestion, execution: Execution) -> inquiry_pb2.Trace:
    """The same for an execution of one's own."""
    began = time.perf_counter()
    refuse_untraceable(question.configuration)
    _refuse_untraceable_execution(execution)
    configuration = read_configuration(question.configuration_json)
    held = execution.trained_dtype if _is_full(question) else execution.frozen_dtype
    with _quiet():
        model = build(configuration, DTYPES[held], eager=execution.attention == "eager")
        if model.get_output_embeddings() is None:
            raise Refused(f"{type(model).__name__} does not write text; only steps of models that do are traced")
        batch = _batch(question, execution, getattr(configuration.get_text_config(), "max_position_embeddings", None))
        try:
            parts = _whole_model(find_layers(model), question, execution, batch)
        except ServiceError:
            raise
        except Exception as error:
            # Some families look at numbers while they compute, and these tensors have none.
            log.warning("trace_failed", family=configuration.model_type, exc_info=True)
            text = f"a step of {type(model).__name__} can't be run without weights; use the plain estimate"
            raise FailedPrecondition("NOT_TRACEABLE", text) from error
    made = inquiry_pb2.Trace(seconds=time.perf_counter() - began)
    for phase in PHASES:
        most = max((held for part, held in parts.items() if part.startswith(phase)), key=sum, default=NOTHING)
        made.phases.add(name=phase, **{field: most[holding] for holding, field in _FIELDS.items()})
    return made


def _whole_model(stack: Stack, question: inquiry_pb2.TraceQuestion, execution: Execution, batch: Batch) -> dict[str, Holdings]:
    """What each part of a step of the whole model holds when it is the most."""

    def peaks(numbers: list[int]) -> dict[str, Holdings]:
        return step_peaks(*stack.pick(numbers), question.configuration.method, execution, batch)

    ones = [numbers[0] for numbers in stack.kinds]
    base = peaks(ones)
    whole = {part: list(held) for part, held in base.items() if MIDDLE not in part}
    for numbers in stack.kinds:
        if len(numbers) == 1:
            continue
        place = ones.index(numbers[0])
        more = peaks([*ones[: place + 1], numbers[1], *ones[place + 1 :]])
        for part, held in whole.items():
            # A model of one layer has it for its first and its last one.
            before = base[part]
            after = more.get(part, before)
            for holding in Holding:
                held[holding] += (after[holding] - before[holding]) * (len(numbers) - 1)
    return {part: tuple(max(0, size) for size in held) for part, held in whole.items()}


def _batch(question: inquiry_pb2.TraceQuestion, execution: Execution, positions: int | None) -> Batch:
    rows, tokens = question.configuration.schedule.batch_size, question.row_tokens
    if rows < 1 or not 1 <= tokens <= MAX_TOKENS:
        raise Refused(f"{tokens:,} tokens a row in batches of {rows} make no step; send 1 to {MAX_TOKENS:,}", "row_tokens")
    schedule = question.configuration.schedule
    return Batch(
        rows=rows,
        # The trainer cuts rows where positions end.
        tokens=tokens if positions is None else min(tokens, positions),
        # One row that is padded to nothing needs no mask, packed rows are attended to one by one, and flash attention takes none.
        masked=(rows > 1 or not execution.dynamic_padding) and not execution.packing and execution.attention != "flash",
        accumulates=schedule.gradient_accumulation > 1,
        cuda=question.device_kind == pool_pb2.DEVICE_KIND_CUDA,
    )


def _is_full(question: inquiry_pb2.TraceQuestion) -> bool:
    return question.configuration.method.type == method_pb2.TRAINING_METHOD_FULL


def _refuse_untraceable_execution(execution: Execution) -> None:
    if execution.offloading or execution.fused_kernels:
        text = "activation offloading and fused kernels are not traced; use the plain estimate"
        raise Refused(text, "configuration.optimizations.enabled")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Libraries warn of what would matter for a real run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
