"""What the advisers go by, and what they answer with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.pool.v1 import pool_pb2
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2, dataset_statistics_pb2, recipe_pb2

from workers.providers.provider import Provider


@dataclass(frozen=True)
class Circumstances:
    """What is known when values are suggested. What is None is not known, or was not chosen yet."""

    base_model: base_model_pb2.BaseModel
    dataset: dataset_pb2.Dataset | None
    statistics: dataset_statistics_pb2.DatasetStatistics | None
    recipe: recipe_pb2.Recipe | None
    provider: Provider
    device: pool_pb2.Device | None
    device_count: int
    # Whether a draft fits into the device's memory; None where that can't be told.
    fits: Callable[[JobConfiguration], bool | None]

    @property
    def row_count(self) -> int | None:
        """Rows of the training dataset."""
        return self.dataset.row_count if self.dataset is not None else None

    @property
    def parameter_count(self) -> int | None:
        """Parameters of the base model, in full."""
        return self.base_model.parameter_count or None


@dataclass(frozen=True)
class Suggestion:
    """A value for one field, as proto JSON has it, and why."""

    path: str
    value: Any
    reason: str


# What is suggested for a draft. What the draft has already is not overwritten, whatever an adviser says.
Adviser = Callable[[Circumstances, JobConfiguration], Iterator[Suggestion]]
