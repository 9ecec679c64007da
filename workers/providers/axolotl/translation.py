"""A configuration as Axolotl's YAML has it."""

from typing import Any

from tunesmith.registry.v1 import dataset_pb2

from workers.providers.axolotl import (
    datasets,
    hardware,
    integrations,
    method,
    model,
    optimizations,
    optimizer,
    schedule,
)
from workers.providers.provider import JobConfiguration

# The version whose schema the translation is written for; tests/golden/axolotl_fields.json is made from it.
VERSION = "0.19.0"
OUTPUT_FOLDER = "output"

_SECTIONS = (model, method, schedule, optimizer, optimizations, hardware, integrations)


def translate(
    configuration: JobConfiguration,
    training: dataset_pb2.Dataset | None = None,
    validation: dataset_pb2.Dataset | None = None,
) -> dict[str, Any]:
    """Translate a configuration whose defaults are resolved; without its datasets, how their rows are read is left open.

    Raises ValueError for what `lower` refuses.
    """
    values = {name: value for section in _SECTIONS for name, value in section.arguments(configuration).items()}
    values |= datasets.entries(configuration, training, validation)
    return values | {"output_dir": OUTPUT_FOLDER}
