"""How the weights move. The learning rate's curve is transformers' own, under the same names as for `local`."""

from typing import Any

from tunesmith.config.v1 import optimizer_pb2

from workers.providers.axolotl.rules import given
from workers.providers.execution import FUSED_ADAMW, optimizer_name
from workers.providers.local import optimizer as local
from workers.providers.provider import CONVERTED, DROPPED, SENT, JobConfiguration, Lowered, Rule


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """As Axolotl's schema has it."""
    optimizer = resolved.optimizer
    curve = local.scheduler_arguments(optimizer)
    values = {
        "learning_rate": optimizer.learning_rate,
        "optimizer": optimizer_name(set(resolved.optimizations.enabled), FUSED_ADAMW),
        "lr_scheduler": curve["lr_scheduler_type"],
        "lr_scheduler_kwargs": curve["lr_scheduler_kwargs"],
        # Unset would be three hundredths of the run.
        "warmup_ratio": curve["warmup_steps"],
        "weight_decay": optimizer.weight_decay,
        "max_grad_norm": optimizer.max_gradient_norm,
    }
    return {name: value for name, value in values.items() if value is not None}


def _warmup_ratio(resolved: JobConfiguration) -> list[Lowered]:
    scheduler = resolved.optimizer.scheduler
    if scheduler.warmup_ratio and scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT:
        return [Lowered(DROPPED, "a CONSTANT rate takes no warm-up; use CONSTANT_WITH_WARMUP, or remove it")]
    if not scheduler.warmup_ratio:
        return [Lowered(SENT, "no warm-up")]
    return [Lowered(CONVERTED, "Axolotl gets it as warmup_ratio, rounds down to whole steps, and makes two of one")]


def _max_gradient_norm(resolved: JobConfiguration) -> list[Lowered]:
    return [Lowered(SENT, f"Axolotl gets max_grad_norm={resolved.optimizer.max_gradient_norm:g}")]


RULES: dict[str, Rule] = {
    **local.RULES,
    "optimizer.scheduler.warmup_ratio": _warmup_ratio,
    "optimizer.learning_rate": given(arguments, "learning_rate"),
    "optimizer.weight_decay": given(arguments, "weight_decay"),
    "optimizer.max_gradient_norm": _max_gradient_norm,
}
