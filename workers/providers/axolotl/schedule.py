"""How long a run is, in what batches, and how often it is saved and evaluated."""

from typing import Any

from tunesmith.config.v1 import schedule_pb2

from workers.providers.axolotl.rules import given
from workers.providers.local.schedule import evaluation_count
from workers.providers.provider import CONVERTED, DROPPED, SENT, JobConfiguration, Lowered, Rule, dropped

# A share of the run that ends with its last step: from 1 on, transformers counts steps.
_AT_THE_END = 0.999999


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """As Axolotl's schema has it."""
    schedule = resolved.schedule
    values: dict[str, Any] = {
        "num_epochs": schedule.epochs,
        "micro_batch_size": schedule.batch_size,
        "eval_batch_size": schedule.batch_size,
        "gradient_accumulation_steps": schedule.gradient_accumulation,
        "sequence_len": schedule.sequence_length,
        "excess_length_strategy": "truncate",
        "train_on_inputs": _trains_on_inputs(resolved),
        "seed": schedule.seed,
        "logging_steps": 1,
        **_evaluating(resolved),
        **_saving(resolved),
    }
    if schedule.HasField("max_steps"):
        values["max_steps"] = schedule.max_steps
        # The steps decide; epochs of Axolotl's own would only be read by a person.
        del values["num_epochs"]
    return values


def _evaluating(resolved: JobConfiguration) -> dict[str, Any]:
    count = evaluation_count(resolved)
    if not count:
        return {"eval_strategy": "no", "val_set_size": 0.0}
    values: dict[str, Any] = {"val_set_size": 0.0, "eval_steps": _share(count)}
    if _watches_evaluations(resolved):
        values |= {"load_best_model_at_end": resolved.schedule.keep_best, "metric_for_best_model": "eval_loss"}
    if resolved.schedule.HasField("early_stopping_patience"):
        values["early_stopping_patience"] = resolved.schedule.early_stopping_patience
    return values


def _saving(resolved: JobConfiguration) -> dict[str, Any]:
    if _watches_evaluations(resolved):
        # The best is among what was saved, so each evaluation saves.
        return {"save_steps": _share(evaluation_count(resolved)), "save_total_limit": 2}
    count = resolved.schedule.checkpoints
    if count < 2:
        # The only one would be at the end: it is the result.
        return {"save_strategy": "no"}
    return {"save_steps": _share(count), "save_total_limit": count}


def _watches_evaluations(resolved: JobConfiguration) -> bool:
    schedule = resolved.schedule
    return evaluation_count(resolved) > 0 and (schedule.keep_best or schedule.HasField("early_stopping_patience"))


def _share(count: int) -> float:
    return _AT_THE_END if count == 1 else 1 / count


def _trains_on_inputs(resolved: JobConfiguration) -> bool:
    return resolved.schedule.train_on_inputs == schedule_pb2.TRAIN_ON_INPUTS_ENABLED


def _epochs(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.schedule.HasField("max_steps"):
        steps = resolved.schedule.max_steps
        return [Lowered(DROPPED, f"max_steps={steps} decides how long the run is; remove one of the two")]
    return [Lowered(SENT, f"Axolotl gets num_epochs={resolved.schedule.epochs}")]


def _evaluations(resolved: JobConfiguration) -> list[Lowered]:
    asked, planned = resolved.schedule.evaluations, evaluation_count(resolved)
    if asked and not planned:
        return [Lowered(DROPPED, "there is no validation dataset to evaluate on; set datasets.validation_file_id")]
    if not planned:
        return [Lowered(SENT, "no evaluation")]
    return [
        Lowered(CONVERTED, f"Axolotl gets eval_steps={_share(planned):g}, a share of the run, and none before its first step")
    ]


def _checkpoints(resolved: JobConfiguration) -> list[Lowered]:
    count = resolved.schedule.checkpoints
    if _watches_evaluations(resolved):
        return [Lowered(DROPPED, "every evaluation saves, so that the best can be taken; remove it")]
    if count < 2:
        return [Lowered(SENT, "only the result is saved")]
    return [Lowered(CONVERTED, f"Axolotl gets save_steps={_share(count):g}, a share of the run")]


def _train_on_inputs(resolved: JobConfiguration) -> list[Lowered]:
    value = resolved.schedule.train_on_inputs
    action = CONVERTED if value == schedule_pb2.TRAIN_ON_INPUTS_AUTO else SENT
    return [Lowered(action, f"Axolotl gets train_on_inputs={_trains_on_inputs(resolved)}")]


def _early_stopping(resolved: JobConfiguration) -> list[Lowered]:
    if not evaluation_count(resolved):
        return [Lowered(DROPPED, "nothing is evaluated that could stop it; set datasets.validation_file_id")]
    return [Lowered(SENT, f"Axolotl gets early_stopping_patience={resolved.schedule.early_stopping_patience}")]


def _keep_best(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.schedule.keep_best and not evaluation_count(resolved):
        return [Lowered(DROPPED, "nothing is evaluated that could be best; set datasets.validation_file_id")]
    return [Lowered(SENT, f"Axolotl gets load_best_model_at_end={resolved.schedule.keep_best}")]


RULES: dict[str, Rule] = {
    "schedule.epochs": _epochs,
    "schedule.batch_size": given(arguments, "micro_batch_size"),
    "schedule.sequence_length": given(arguments, "sequence_len"),
    "schedule.gradient_accumulation": given(arguments, "gradient_accumulation_steps"),
    "schedule.checkpoints": _checkpoints,
    "schedule.evaluations": _evaluations,
    "schedule.train_on_inputs": _train_on_inputs,
    "schedule.max_steps": given(arguments, "max_steps"),
    "schedule.seed": given(arguments, "seed"),
    "schedule.early_stopping_patience": _early_stopping,
    "schedule.keep_best": _keep_best,
    "schedule.histograms": dropped("Axolotl takes no histograms; remove it, or use provider local"),
    "schedule.step_timeout_seconds": dropped("Axolotl waits for a step as long as it takes; remove it"),
}
