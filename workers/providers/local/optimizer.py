"""How the weights move."""

import math
from typing import Any

from tunesmith.config.v1 import optimizer_pb2

from workers.providers.local.rules import argument
from workers.providers.provider import CONVERTED, DROPPED, SENT, JobConfiguration, Lowered, Rule

ONE_FALL = 0.5
PARABOLA = 2.0
LINE = 1.0

# Below one, transformers reads warmup_steps as a share of the run; from one on, as a number of steps. A warm-up over the whole
# run would become a warm-up of a single step.
WHOLE_RUN = math.nextafter(1.0, 0.0)


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """For the trainer's configuration."""
    optimizer = resolved.optimizer
    return {
        "learning_rate": optimizer.learning_rate,
        **scheduler_arguments(optimizer),
        "weight_decay": optimizer.weight_decay,
        "max_grad_norm": optimizer.max_gradient_norm,
    }


def scheduler_arguments(optimizer: optimizer_pb2.Optimizer) -> dict[str, Any]:
    """The learning rate's curve, as transformers spells it."""
    scheduler = optimizer.scheduler
    name, arguments = _curve(optimizer)
    constant = scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT
    return {
        "lr_scheduler_type": name,
        "lr_scheduler_kwargs": arguments,
        "warmup_steps": 0.0 if constant else min(scheduler.warmup_ratio, WHOLE_RUN),
    }


def _curve(optimizer: optimizer_pb2.Optimizer) -> tuple[str, dict[str, Any] | None]:
    scheduler = optimizer.scheduler
    if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT:
        return "constant", None
    if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT_WITH_WARMUP:
        return "constant_with_warmup", None
    if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_COSINE:
        cycles = scheduler.cycles if scheduler.HasField("cycles") else ONE_FALL
        if scheduler.min_lr_ratio == 0:
            return "cosine", {"num_cycles": cycles}
        return "cosine_with_min_lr", {"num_cycles": cycles, "min_lr_rate": scheduler.min_lr_ratio}
    if scheduler.min_lr_ratio >= 1:
        # The polynomial curve insists on an end below its start.
        return "constant_with_warmup", None
    power = PARABOLA if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_POLYNOMIAL else LINE
    if power == LINE and scheduler.min_lr_ratio == 0:
        return "linear", None
    return "polynomial", {"power": power, "lr_end": optimizer.learning_rate * scheduler.min_lr_ratio}


def _scheduler_type(resolved: JobConfiguration) -> list[Lowered]:
    given = arguments(resolved)
    name, details = given["lr_scheduler_type"], given["lr_scheduler_kwargs"]
    shown = f" and lr_scheduler_kwargs={details!r}" if details else ""
    return [Lowered(SENT, f"the trainer gets lr_scheduler_type={name!r}{shown}")]


def _min_lr_ratio(resolved: JobConfiguration) -> list[Lowered]:
    scheduler = resolved.optimizer.scheduler
    name = optimizer_pb2.LrSchedulerType.Name(scheduler.type).removeprefix("LR_SCHEDULER_TYPE_")
    if scheduler.type in (
        optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT,
        optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT_WITH_WARMUP,
    ):
        return [Lowered(DROPPED, f"a {name} rate does not fall; remove it, or use COSINE, LINEAR or POLYNOMIAL")]
    end = resolved.optimizer.learning_rate * scheduler.min_lr_ratio
    return [Lowered(CONVERTED, f"the rate falls to {end:g}")]


def _warmup_ratio(resolved: JobConfiguration) -> list[Lowered]:
    scheduler = resolved.optimizer.scheduler
    if scheduler.warmup_ratio == 0:
        return [Lowered(SENT, "no warm-up")]
    if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT:
        return [Lowered(DROPPED, "a CONSTANT rate takes no warm-up; use CONSTANT_WITH_WARMUP, or remove it")]
    detail = "the trainer gets it as warmup_steps, which below 1 is a share of the run, rounded up to whole steps"
    return [Lowered(CONVERTED, detail)]


def _cycles(resolved: JobConfiguration) -> list[Lowered]:
    scheduler = resolved.optimizer.scheduler
    if scheduler.type != optimizer_pb2.LR_SCHEDULER_TYPE_COSINE:
        return [Lowered(DROPPED, "cycles only act with a COSINE rate; remove it, or set the type to COSINE")]
    return [Lowered(SENT, f"the scheduler gets num_cycles={scheduler.cycles:g}")]


def _max_gradient_norm(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.optimizer.max_gradient_norm == 0:
        return [Lowered(SENT, "gradients are not clipped")]
    return argument(arguments, "max_grad_norm")(resolved)


RULES: dict[str, Rule] = {
    "optimizer.learning_rate": argument(arguments, "learning_rate"),
    "optimizer.scheduler.type": _scheduler_type,
    "optimizer.scheduler.min_lr_ratio": _min_lr_ratio,
    "optimizer.scheduler.warmup_ratio": _warmup_ratio,
    "optimizer.scheduler.cycles": _cycles,
    "optimizer.weight_decay": argument(arguments, "weight_decay"),
    "optimizer.max_gradient_norm": _max_gradient_norm,
}
