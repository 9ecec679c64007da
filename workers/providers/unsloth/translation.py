"""What Unsloth and trl are given for a configuration."""

from typing import Any

from tunesmith.registry.v1 import dataset_pb2

from workers.providers.execution import FUSED_ADAMW, optimizer_name
from workers.providers.local import model, optimizer, schedule
from workers.providers.local.datasets import loss_arguments
from workers.providers.provider import JobConfiguration
from workers.providers.unsloth import loading, optimizations

# The version that the translation is written for.
VERSION = "2026.10.9"


def translate(configuration: JobConfiguration, dataset_format: dataset_pb2.DatasetFormat | None = None) -> dict[str, Any]:
    """Translate a configuration whose defaults are resolved; without a dataset, which tokens count is left open.

    Raises ValueError for what `lower` refuses.
    """
    given = loading.loader(configuration)
    trainer: dict[str, Any] = {
        **schedule.arguments(configuration),
        **optimizer.arguments(configuration),
        "optim": optimizer_name(set(configuration.optimizations.enabled), FUSED_ADAMW),
        **optimizations.arguments(configuration),
        **model.arguments(configuration),
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
    }
    if dataset_format is not None:
        trainer |= loss_arguments(dataset_format, configuration.schedule.train_on_inputs)
    return {"loader": given, "adapter": loading.adapter(configuration), "trainer": trainer}
