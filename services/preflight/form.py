"""The configuration's fields as a form has them: their order, their knobs, and names of enum values."""

from functools import cache
from typing import Any

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.chassis.knobs import KnobField, walk


@cache
def knobs() -> dict[str, KnobField]:
    """Every leaf of a configuration by its path, in the order of the form."""
    return {leaf.path: leaf for leaf in walk(JobConfiguration.DESCRIPTOR)}


@cache
def order() -> dict[str, int]:
    """Where each path stands in the form, sections included."""
    places: dict[str, int] = {}
    for path in knobs():
        parts = path.split(".")
        for end in range(1, len(parts) + 1):
            places.setdefault(".".join(parts[:end]), len(places))
    return places


def value_at(configuration: JobConfiguration, path: str) -> Any:
    """The value of a leaf that is set; None of one that is not."""
    node: Any = configuration
    *parents, leaf = path.split(".")
    for name in parents:
        if not node.HasField(name):
            return None
        node = getattr(node, name)
    field = node.DESCRIPTOR.fields_by_name[leaf]
    if field.has_presence and not node.HasField(leaf):
        return None
    return getattr(node, leaf)


def label(path: str) -> str:
    """What the form calls a field, in the middle of a sentence."""
    return knobs()[path].knob.label or path.rpartition(".")[2]


def enum_name(path: str, number: int) -> str:
    """The name of an enum's value as JSON has it."""
    value = knobs()[path].field.enum_type.values_by_number.get(number)
    return value.name if value else str(number)


def short(path: str, number: int) -> str:
    """The same as people say it: LORA, BF16."""
    zero: str = knobs()[path].field.enum_type.values_by_number[0].name
    return enum_name(path, number).removeprefix(zero.removesuffix("UNSPECIFIED"))
