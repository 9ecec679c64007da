"""How long a run is, in what batches, and how often it is saved, evaluated and looked at."""

from typing import Any

from tunesmith.config.v1 import method_pb2, optimizations_pb2, schedule_pb2

from workers.providers.local.rules import argument
from workers.providers.local.soft_prompt import virtual_tokens
from workers.providers.provider import CONVERTED, DROPPED, SENT, JobConfiguration, Lowered, Rule

# An attempt's first step may compile kernels and read the weights for the first time: it has at least so long.
FIRST_STEP_S = 600


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """For the trainer's configuration."""
    schedule = resolved.schedule
    dynamic_padding = optimizations_pb2.OPTIMIZATION_FEATURE_DYNAMIC_PADDING in resolved.optimizations.enabled
    # A soft prompt takes its share of every sequence.
    row_tokens = schedule.sequence_length - virtual_tokens(resolved)
    return {
        **_length_of_run(resolved),
        "per_device_train_batch_size": schedule.batch_size,
        "per_device_eval_batch_size": schedule.batch_size,
        "gradient_accumulation_steps": schedule.gradient_accumulation,
        "max_length": row_tokens,
        "pad_to_multiple_of": None if dynamic_padding else row_tokens,
        "seed": schedule.seed,
        "eval_on_start": evaluation_count(resolved) > 0,
    }


def evaluation_count(resolved: JobConfiguration) -> int:
    """Evaluations after the first step; none without a validation dataset."""
    return resolved.schedule.evaluations if resolved.datasets.HasField("validation_file_id") else 0


def patience(resolved: JobConfiguration) -> int | None:
    """Evaluations in a row without a lower loss after which a run stops; None if it never does."""
    schedule = resolved.schedule
    may_stop = schedule.HasField("early_stopping_patience") and schedule.early_stopping_patience < evaluation_count(resolved)
    return schedule.early_stopping_patience if may_stop else None


def keeps_best(resolved: JobConfiguration) -> bool:
    """Whether the result is what stood at the evaluation with the lowest loss."""
    return resolved.schedule.keep_best and evaluation_count(resolved) > 0


def step_timeout_s(resolved: JobConfiguration) -> float | None:
    """Seconds that a person gives a step; None to go by what steps take."""
    schedule = resolved.schedule
    return float(schedule.step_timeout_seconds) if schedule.HasField("step_timeout_seconds") else None


def _length_of_run(resolved: JobConfiguration) -> dict[str, Any]:
    if resolved.schedule.HasField("max_steps"):
        return {"max_steps": resolved.schedule.max_steps}
    return {"num_train_epochs": resolved.schedule.epochs}


def _epochs(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.schedule.HasField("max_steps"):
        steps = resolved.schedule.max_steps
        return [Lowered(DROPPED, f"max_steps={steps} decides how long the run is; remove one of the two")]
    return argument(arguments, "num_train_epochs")(resolved)


def _evaluations(resolved: JobConfiguration) -> list[Lowered]:
    asked, planned = resolved.schedule.evaluations, evaluation_count(resolved)
    if asked and not planned:
        return [Lowered(DROPPED, "there is no validation dataset to evaluate on; set datasets.validation_file_id")]
    if not planned:
        return [Lowered(SENT, "no evaluation")]
    return [Lowered(SENT, f"one evaluation before the first step and {planned} spread evenly over the run")]


def _early_stopping(resolved: JobConfiguration) -> list[Lowered]:
    asked, planned = resolved.schedule.early_stopping_patience, evaluation_count(resolved)
    if not planned:
        return [Lowered(DROPPED, _without_evaluations(resolved, "nothing says when to stop"))]
    if patience(resolved) is None:
        text = f"after {planned} evaluations the run is over anyway; set schedule.evaluations to more than {asked}, or remove it"
        return [Lowered(DROPPED, text)]
    return [Lowered(SENT, f"the run stops when {_evaluations_in_a_row(asked)} no better than the best before")]


def _evaluations_in_a_row(count: int) -> str:
    return "an evaluation is" if count == 1 else f"{count} evaluations in a row are"


def _keep_best(resolved: JobConfiguration) -> list[Lowered]:
    if not resolved.schedule.keep_best:
        return [Lowered(SENT, "the result is what stands at the end")]
    if not evaluation_count(resolved):
        return [Lowered(DROPPED, _without_evaluations(resolved, "nothing says which weights are best"))]
    return [
        Lowered(SENT, "the result is what stood at the evaluation with the lowest loss, the one before the first step included")
    ]


def _without_evaluations(resolved: JobConfiguration, consequence: str) -> str:
    if resolved.datasets.HasField("validation_file_id"):
        return f"schedule.evaluations is 0, so {consequence}; set it to 2 or more, or remove this"
    return f"there is no validation dataset, so {consequence}; set datasets.validation_file_id, or remove it"


def _histograms(resolved: JobConfiguration) -> list[Lowered]:
    count = resolved.schedule.histograms
    text = f"of each layer's trained weights, one before the first step and {count} spread evenly over the run"
    return [Lowered(SENT, text if count else "no histograms")]


def _step_timeout(resolved: JobConfiguration) -> list[Lowered]:
    seconds = resolved.schedule.step_timeout_seconds
    text = f"a step that takes longer than {seconds} s is given up; an attempt's first has {max(seconds, FIRST_STEP_S)} s"
    return [Lowered(SENT, text)]


def _checkpoints(resolved: JobConfiguration) -> list[Lowered]:
    count = resolved.schedule.checkpoints
    return [Lowered(SENT, f"{count} spread evenly over the run, the last at its end" if count else "only the result is saved")]


def _train_on_inputs(resolved: JobConfiguration) -> list[Lowered]:
    value = resolved.schedule.train_on_inputs
    if resolved.method.objective == method_pb2.TRAINING_OBJECTIVE_DPO and value == schedule_pb2.TRAIN_ON_INPUTS_ENABLED:
        return [Lowered(DROPPED, "DPO compares two answers to one prompt, so the prompt's tokens say nothing; remove it")]
    if value == schedule_pb2.TRAIN_ON_INPUTS_ENABLED:
        return [Lowered(SENT, "every token counts in the loss")]
    if resolved.method.objective == method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING:
        every = "with CONTINUED_PRETRAINING every token of a text counts in the loss"
        is_asked = value == schedule_pb2.TRAIN_ON_INPUTS_DISABLED
        return [Lowered(DROPPED, f"{every}; remove it") if is_asked else Lowered(CONVERTED, every)]
    answers_only = "only the answers' tokens count in the loss where a row has a prompt; all of a text row counts"
    return [Lowered(CONVERTED if value == schedule_pb2.TRAIN_ON_INPUTS_AUTO else SENT, answers_only)]


RULES: dict[str, Rule] = {
    "schedule.epochs": _epochs,
    "schedule.batch_size": argument(arguments, "per_device_train_batch_size"),
    "schedule.sequence_length": argument(arguments, "max_length"),
    "schedule.gradient_accumulation": argument(arguments, "gradient_accumulation_steps"),
    "schedule.checkpoints": _checkpoints,
    "schedule.evaluations": _evaluations,
    "schedule.train_on_inputs": _train_on_inputs,
    "schedule.max_steps": argument(arguments, "max_steps"),
    "schedule.seed": argument(arguments, "seed"),
    "schedule.early_stopping_patience": _early_stopping,
    "schedule.keep_best": _keep_best,
    "schedule.histograms": _histograms,
    "schedule.step_timeout_seconds": _step_timeout,
}
