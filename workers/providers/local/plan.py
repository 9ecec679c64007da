"""What transformers, peft and trl are given for a configuration, as plain data and without importing any of them."""

from dataclasses import dataclass
from typing import Any

from tunesmith.registry.v1 import dataset_pb2

from workers.providers.local import classification, distillation, method, model, optimizations, optimizer, preference, schedule
from workers.providers.local.datasets import loss_arguments
from workers.providers.provider import JobConfiguration

# What every run is given, whatever is configured.
_ALWAYS: dict[str, Any] = {
    "logging_steps": 1,
    # A loss that is not a number ends the job instead of being averaged away.
    "logging_nan_inf_filter": False,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}


@dataclass(frozen=True)
class TrainingPlan:
    """Keyword arguments for the libraries that train, and what a recipe does around them."""

    # For `from_pretrained`, see `model.loading`.
    weights: dict[str, Any]
    # For the trainer's configuration.
    trainer: dict[str, Any]
    # For peft, `peft_type` among them; None trains every weight.
    adapter: dict[str, Any] | None
    # What the objective takes besides, see `preference` and `distillation`; empty for one that needs nothing.
    objective: dict[str, Any]
    # What a fully trained model is saved in; an adapter is saved as it was trained.
    saved_dtype: str
    checkpoints: int
    evaluations: int
    # See `schedule`: when to stop, what to keep, how often to look at the weights, and how long a step may take.
    patience: int | None
    keeps_best: bool
    histograms: int
    step_timeout_s: float | None


def plan(configuration: JobConfiguration, dataset_format: dataset_pb2.DatasetFormat | None = None) -> TrainingPlan:
    """Translate a configuration whose defaults are resolved.

    Raises ValueError for a method, objective or precision that `lower` refuses.

    Which tokens count in the loss depends on the training dataset's format; without one, those two arguments are left out.
    """
    trainer = trainer_arguments(configuration)
    if preference.is_objective(configuration):
        trainer = preference.arguments(configuration, trainer)
    elif dataset_format is not None and not classification.is_objective(configuration):
        trainer |= loss_arguments(dataset_format, configuration.schedule.train_on_inputs)
    return TrainingPlan(
        weights=model.loading(configuration) | optimizations.loading(configuration),
        trainer=trainer,
        adapter=method.adapter(configuration),
        objective=_objective(configuration),
        saved_dtype=model.saved_dtype(configuration),
        checkpoints=configuration.schedule.checkpoints,
        evaluations=schedule.evaluation_count(configuration),
        patience=schedule.patience(configuration),
        keeps_best=schedule.keeps_best(configuration),
        histograms=configuration.schedule.histograms,
        step_timeout_s=schedule.step_timeout_s(configuration),
    )


def _objective(resolved: JobConfiguration) -> dict[str, Any]:
    if preference.is_objective(resolved):
        return {"reference_free": preference.settings(resolved).reference_free}
    return distillation.arguments(resolved) if distillation.is_objective(resolved) else {}


def trainer_arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """For the trainer's configuration, of a configuration whose defaults are resolved."""
    sections = (schedule, optimizer, optimizations, model)
    return {name: value for section in sections for name, value in section.arguments(resolved).items()} | _ALWAYS
