"""Whom to imitate: objective DISTILLATION."""

from collections.abc import Callable
from typing import Any

from tunesmith.config.v1 import method_pb2

from workers.providers.execution import held_dtype
from workers.providers.provider import DROPPED, SENT, JobConfiguration, Lowered, Rule


def is_objective(resolved: JobConfiguration) -> bool:
    """Whether imitating a teacher is what the job learns."""
    return bool(resolved.method.objective == method_pb2.TRAINING_OBJECTIVE_DISTILLATION)


def has_teacher(resolved: JobConfiguration) -> bool:
    """Whether the teacher is asked at all: with no weight its answers would change nothing."""
    return is_objective(resolved) and resolved.method.distillation_config.teacher_weight > 0


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """For the distilling trainer; `teacher` is for `from_pretrained`: its weights don't move, so they lose nothing in 16 bits."""
    distillation = resolved.method.distillation_config
    return {
        "temperature": distillation.temperature,
        "teacher_weight": distillation.teacher_weight,
        "teacher": {"dtype": held_dtype(resolved.model.precision), "use_safetensors": True, "trust_remote_code": False},
    }


def _of_teacher(describe: Callable[[method_pb2.DistillationConfiguration], Lowered]) -> Rule:
    def rule(resolved: JobConfiguration) -> list[Lowered]:
        if not is_objective(resolved):
            return [Lowered(DROPPED, "only objective DISTILLATION has a teacher; remove method.distillation_config")]
        return [describe(resolved.method.distillation_config)]

    return rule


def _teacher_model(distillation: method_pb2.DistillationConfiguration) -> Lowered:
    if distillation.teacher_weight == 0:
        return Lowered(SENT, "teacher_weight is 0, so it is not loaded: the likelihood of the rows is all that counts")
    return Lowered(SENT, "from_pretrained loads its safetensors beside the model that learns, frozen")


def _temperature(distillation: method_pb2.DistillationConfiguration) -> Lowered:
    return Lowered(
        SENT, f"both models' logits are divided by {distillation.temperature:g}, and their divergence grows by its square"
    )


def _teacher_weight(distillation: method_pb2.DistillationConfiguration) -> Lowered:
    weight = distillation.teacher_weight
    return Lowered(SENT, f"{weight:g} of the loss compares with the teacher, {1 - weight:g} is the likelihood of the rows")


RULES: dict[str, Rule] = {
    "method.distillation_config.teacher_model": _of_teacher(_teacher_model),
    "method.distillation_config.temperature": _of_teacher(_temperature),
    "method.distillation_config.teacher_weight": _of_teacher(_teacher_weight),
}
