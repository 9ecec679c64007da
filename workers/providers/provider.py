"""What a backend is to those that only plan: what it can do, and what becomes of a configuration on its way to it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from tunesmith.config.v1 import datasets_pb2, job_configuration_pb2, method_pb2, model_pb2, optimizations_pb2
from tunesmith.provider.v1 import lowering_pb2
from tunesmith.registry.v1 import dataset_pb2

JobConfiguration = job_configuration_pb2.JobConfiguration
FieldLowering = lowering_pb2.FieldLowering

SENT = lowering_pb2.LOWERING_ACTION_SENT
CONVERTED = lowering_pb2.LOWERING_ACTION_CONVERTED
DROPPED = lowering_pb2.LOWERING_ACTION_DROPPED
REFUSED = lowering_pb2.LOWERING_ACTION_REFUSED


@dataclass(frozen=True)
class Provider:
    """A backend's capabilities and its pure half."""

    id: str
    display_name: str
    methods: tuple[method_pb2.TrainingMethod, ...]
    objectives: tuple[method_pb2.TrainingObjective, ...]
    precisions: tuple[model_pb2.ModelPrecision, ...]
    optimizations: tuple[optimizations_pb2.OptimizationFeature, ...]
    dataset_formats: tuple[dataset_pb2.DatasetFormat, ...]
    # (configuration, as submitted or None) -> what becomes of each field that is set.
    lower: Callable[[JobConfiguration, JobConfiguration | None], list[FieldLowering]]
    # (configuration) -> what the backend is given, as plain JSON data. Raises ValueError for what `lower` refuses.
    translate: Callable[[JobConfiguration], dict[str, Any]]
    # (format, strategy or 0, the field that named the dataset) -> why the backend can't train on it; empty if it can.
    refuse_dataset: Callable[[dataset_pb2.DatasetFormat, datasets_pb2.DatasetStrategy, str], list[FieldLowering]]


@dataclass(frozen=True)
class Lowered:
    """What becomes of a field, or of the part of it that `suffix` names: `[0]` of a list, `.together` of a Struct."""

    action: lowering_pb2.LoweringAction
    detail: str
    suffix: str = ""


# What becomes of one field of a configuration whose defaults are resolved.
Rule = Callable[[JobConfiguration], list[Lowered]]


def dropped(reason: str) -> Rule:
    """A field that never acts."""
    return lambda _: [Lowered(DROPPED, reason)]


def refused(reason: str) -> Rule:
    """A field without which the job would mean something else."""
    return lambda _: [Lowered(REFUSED, reason)]


def apply_rules(
    rules: Mapping[str, Rule], configuration: JobConfiguration, as_submitted: JobConfiguration | None
) -> list[FieldLowering]:
    """What becomes of every leaf that is set, in the order of the form.

    A default that the server filled in and that can't act is left out: nobody asked for it. Without `as_submitted`, all that is
    set was asked for.
    """
    asked = set(_set_leaves(configuration if as_submitted is None else as_submitted))
    lowering = [(path, lowered) for path in _set_leaves(configuration) for lowered in rules[path](configuration)]
    return [
        FieldLowering(field_path=f"{path}{lowered.suffix}", action=lowered.action, detail=lowered.detail)
        for path, lowered in lowering
        if lowered.action != DROPPED or path in asked
    ]


def _set_leaves(message: Message, prefix: str = "") -> Iterator[str]:
    # The chassis has such a walk too, but a provider imports nothing of the services, so that anything can import it.
    for field, value in message.ListFields():
        if isinstance(value, Message) and not isinstance(value, Struct):
            yield from _set_leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"
