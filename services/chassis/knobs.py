"""The knobs of a configuration, read from its descriptors: paths, hard ranges, defaults."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tunesmith.options.v1 import field_pb2

STRUCT = "google.protobuf.Struct"

# Descriptors at run time are of another class than the one their type stubs know.
AnyMessageDescriptor = Any
AnyFieldDescriptor = Any

Configuration = TypeVar("Configuration", bound=Message)


@dataclass(frozen=True)
class KnobField:
    """One leaf of a configuration, with what its descriptor says about it."""

    path: str
    field: AnyFieldDescriptor
    knob: field_pb2.Knob
    rules: validate_pb2.FieldRules


def knob_of(field: AnyFieldDescriptor) -> field_pb2.Knob:
    """What a field's option says; an empty Knob if it has none."""
    return field.GetOptions().Extensions[field_pb2.knob]


def walk(descriptor: AnyMessageDescriptor, prefix: str = "") -> Iterator[KnobField]:
    """Every leaf below a message, in the order of the form. A Struct is one leaf."""
    for field in sorted(descriptor.fields, key=lambda field: field.number):
        path = f"{prefix}{field.name}"
        if field.message_type is not None and field.message_type.full_name != STRUCT:
            yield from walk(field.message_type, f"{path}.")
        else:
            yield KnobField(path, field, knob_of(field), field.GetOptions().Extensions[validate_pb2.field])


def set_paths(message: Message, prefix: str = "") -> Iterator[str]:
    """Paths of the leaves that are set, in the order of the form."""
    for field, value in sorted(message.ListFields(), key=lambda item: item[0].number):
        path = f"{prefix}{field.name}"
        if field.message_type is not None and field.message_type.full_name != STRUCT:
            yield from set_paths(value, f"{path}.")
        else:
            yield path


def resolve_defaults(message: Message) -> None:
    """Fill in, in place, each unset field that has a default.

    A message that is there by choice (`added_by_choice`) is filled when it is there and never added.
    """
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            present = message.HasField(field.name)
            if field.message_type.full_name != STRUCT and (present or not knob_of(field).added_by_choice):
                _resolve_inside(message, field, present)
        elif field.has_presence and not message.HasField(field.name):
            default = knob_of(field).default_value
            if default.WhichOneof("kind"):
                setattr(message, field.name, native(field, default))


def resolved(message: Configuration) -> Configuration:
    """A copy with its defaults filled in."""
    filled = type(message)()
    filled.CopyFrom(message)
    resolve_defaults(filled)
    return filled


def native(field: AnyFieldDescriptor, value: field_pb2.KnobValue) -> Any:
    """A default as the field's own type."""
    if field.enum_type is not None:
        return field.enum_type.values_by_name[value.text].number
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64):
        return int(value.number)
    return getattr(value, str(value.WhichOneof("kind")))


def _resolve_inside(message: Message, field: AnyFieldDescriptor, present: bool) -> None:
    inner = getattr(message, field.name)
    resolve_defaults(inner)
    if not present and not inner.ListFields():
        # Reading does not add a message, but a filled descendant does; an empty one must stay away.
        message.ClearField(field.name)
