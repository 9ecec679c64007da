"""How fast the weights move."""

from collections.abc import Iterator

from tunesmith.config.v1 import method_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.preflight import methods
from services.preflight.defaults.suggestion import Circumstances, Suggestion

_BILLION = 1_000_000_000
_LARGE_MODEL = 13 * _BILLION
_SMALL_MODEL = _BILLION


def of_optimizer(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """Learning rate, its curve, decay and clipping."""
    rate, reason = _learning_rate(circumstances.parameter_count, draft.method)
    yield Suggestion("optimizer.learning_rate", rate, reason)
    yield Suggestion("optimizer.scheduler.type", "LR_SCHEDULER_TYPE_COSINE", "falls slowly at first, so that most steps learn")
    yield Suggestion("optimizer.scheduler.warmup_ratio", 0.03, "the first steps have no averages to go by yet")
    if draft.method.type == method_pb2.TRAINING_METHOD_FULL:
        yield Suggestion("optimizer.weight_decay", 0.01, "every weight moves; a little decay keeps them near where they were")
    yield Suggestion("optimizer.max_gradient_norm", 1, "one odd batch can't throw the weights far")


def _learning_rate(parameter_count: int | None, method: method_pb2.Method) -> tuple[float, str]:
    if method.objective == method_pb2.TRAINING_OBJECTIVE_DPO:
        return 5e-6, "preferences are learned with small steps, or the model forgets how to write"
    if method.type in methods.SOFT_PROMPTS:
        return 3e-3, "a soft prompt starts from nothing and moves far; the model itself stays as it is"
    large = parameter_count is not None and parameter_count > _LARGE_MODEL
    if method.type == method_pb2.TRAINING_METHOD_FULL:
        if parameter_count is not None and parameter_count < _SMALL_MODEL:
            return 5e-5, "full training of a small model"
        return 1e-5, "full training moves what the model knows, so its steps are about a tenth of LoRA's"
    if large:
        return 1e-4, "LoRA on more than 13 billion parameters"
    return 2e-4, "LoRA wants about ten times the rate of full training"
