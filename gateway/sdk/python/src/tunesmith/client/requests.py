"""Makes a request out of keyword arguments, and says of each that does not fit where it is and what was probably meant."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from tunesmith.client.errors import Violation, invalid
from tunesmith.client.field_problems import problems

Request = TypeVar("Request", bound=Message)


def request_of(kind: type[Request], **fields: Any) -> Request:
    """A request with these fields; those that are None stay unset. Messages are copied, anything else is read as JSON has it.

    Raises InvalidArgument.
    """
    given = {name: _plain(kind, name, value) for name, value in fields.items() if value is not None}
    request = parsed(kind, {name: value for name, value in given.items() if not isinstance(value, Message)})
    for name, value in given.items():
        if isinstance(value, Message):
            _refuse_other(kind, name, value, name)
            getattr(request, name).CopyFrom(value)
    return request


def _plain(kind: type[Request], name: str, value: Any) -> Any:
    """A sequence as a list, its messages as JSON has them: a tuple, or what another message holds."""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        return value
    items = list(value)
    for index, item in enumerate(items):
        if isinstance(item, Message):
            _refuse_other(kind, name, item, f"{name}[{index}]")
            items[index] = MessageToDict(item, preserving_proto_field_name=True)
    return items


def _refuse_other(kind: type[Request], name: str, value: Message, path: str) -> None:
    """Raise InvalidArgument for a message of another type than the field takes."""
    wanted = kind.DESCRIPTOR.fields_by_name[name].message_type
    if wanted is None or wanted.full_name != value.DESCRIPTOR.full_name:
        text = f"takes a {wanted.name if wanted else 'plain value'}; got a {value.DESCRIPTOR.name}"
        raise invalid([Violation(path, text)])


def parsed(kind: type[Request], value: Mapping[str, Any]) -> Request:
    """A message out of its JSON: fields in either spelling, enums by name. Raises InvalidArgument with all that does not fit."""
    found = list(problems(value, kind.DESCRIPTOR))
    if found:
        raise invalid(found)
    try:
        return ParseDict(dict(value), kind())
    except ParseError as error:
        raise invalid([Violation("", f"{error}; `tunesmith parameters` lists what there is")]) from None
