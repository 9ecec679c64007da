"""Compares a value as JSON has it with a message's descriptor, and collects everything that does not fit."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message_factory import GetMessageClass
from tunesmith.client.errors import Violation

_KINDS = {
    FieldDescriptor.CPPTYPE_INT32: "a whole number",
    FieldDescriptor.CPPTYPE_INT64: "a whole number",
    FieldDescriptor.CPPTYPE_DOUBLE: "a number",
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_STRING: "a text; put it in quotes",
}


# Every path below the message that is looked at; walked only when there is something to say.
Everything = Callable[[], list[str]]


def problems(value: Mapping[Any, Any], descriptor: Any) -> Iterator[Violation]:
    """Everything in a mapping that a message of this type can't take."""
    return _section_problems(value, descriptor, "", partial(_all_paths, descriptor))


def _all_paths(descriptor: Any) -> list[str]:
    return list(leaf_paths(descriptor))


def leaf_paths(descriptor: Any, path: str = "") -> Iterator[str]:
    """Every field path below a message."""
    for field in descriptor.fields:
        inner = f"{path}.{field.name}" if path else field.name
        yield inner
        if _is_ours(field):
            yield from leaf_paths(field.message_type, inner)


def _section_problems(value: Mapping[Any, Any], descriptor: Any, path: str, everything: Everything) -> Iterator[Violation]:
    fields = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    for key, inner in value.items():
        inner_path = f"{path}.{key}" if path else str(key)
        field = fields.get(key) if isinstance(key, str) else None
        if field is None:
            yield Violation(inner_path, f"no such field; {_advice(str(key), [*descriptor.fields_by_name], everything())}")
        elif inner is not None:
            yield from _field_problems(inner, field, inner_path, everything)


def _field_problems(value: Any, field: Any, path: str, everything: Everything) -> Iterator[Violation]:
    if _is_map(field):
        yield from _map_problems(value, field, path)
    elif not field.is_repeated:
        yield from _item_problems(value, field, path, everything)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _item_problems(item, field, f"{path}[{index}]", everything)
    else:
        yield Violation(path, f"takes a list; put {_shown(value)} into brackets")


def _map_problems(value: Any, field: Any, path: str) -> Iterator[Violation]:
    inner = field.message_type.fields_by_name["value"]
    if not isinstance(value, Mapping):
        yield Violation(path, f"takes values by name; got {_shown(value)}")
        return
    for name, one in value.items():
        yield from _leaf_problems(one, inner, f"{path}.{name}")


def _item_problems(value: Any, field: Any, path: str, everything: Everything) -> Iterator[Violation]:
    if not _is_ours(field):
        yield from _leaf_problems(value, field, path)
    elif isinstance(value, Mapping):
        yield from _section_problems(value, field.message_type, path, everything)
    else:
        names = ", ".join(inner.name for inner in field.message_type.fields)
        yield Violation(path, f"takes a section with {names}; got {_shown(value)}")


def _leaf_problems(value: Any, field: Any, path: str) -> Iterator[Violation]:
    if field.enum_type is not None and not (isinstance(value, int) and not isinstance(value, bool)):
        if not isinstance(value, str) or value not in field.enum_type.values_by_name:
            yield Violation(path, f"{_shown(value)} is none of its values; {_enum_advice(str(value), field.enum_type)}")
        return
    try:
        ParseDict({field.name: [value] if field.is_repeated else value}, GetMessageClass(field.containing_type)())
    except ParseError:
        yield Violation(path, f"takes {_KINDS.get(field.cpp_type, 'a section')}; got {_shown(value)}")


def _advice(key: str, names: list[str], everything: list[str]) -> str:
    # A field in the wrong section is the usual mistake: a flat file, or a neighbour's knob.
    elsewhere = {path.rpartition(".")[2]: path for path in reversed(everything)}
    if key in elsewhere:
        return f"did you mean {elsewhere[key]}?"
    near = difflib.get_close_matches(key, names, 1)
    if near:
        return f"did you mean {near[0]}?"
    far = difflib.get_close_matches(key, elsewhere, 1, cutoff=0.75)
    return f"did you mean {elsewhere[far[0]]}?" if far else f"there are {', '.join(names)}"


def _enum_advice(value: str, enum: Any) -> str:
    # Values are written with their prefix; `lora` is how people say them.
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    short = [choice.name.removeprefix(prefix) for choice in enum.values[1:]]
    wanted = value.upper().replace("-", "_").removeprefix(prefix)
    near = [name for name in short if name.endswith(f"_{wanted}")] or difflib.get_close_matches(wanted, short, 1)
    return f"did you mean {prefix}{near[0]}?" if near else f"there are {', '.join(prefix + name for name in short)}"


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _is_ours(field: Any) -> bool:
    """Whether a field holds a message of ours; a Struct takes whatever JSON can say."""
    return field.message_type is not None and str(field.message_type.full_name).startswith("tunesmith.")


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
