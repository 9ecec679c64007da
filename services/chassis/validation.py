"""The rules of the protos, applied to every request."""

from functools import cache
from typing import Any

import protovalidate
from google.protobuf.message import Message

from services.chassis.errors import InvalidArgument

_ENUM_RULES = ("enum.defined_only", "enum.not_in")


@cache
def validator() -> protovalidate.Validator:
    """One validator a process: it compiles a message's rules once."""
    return protovalidate.Validator()


def check(message: Message, prefix: str = "") -> None:
    """Raise InvalidArgument with every violation of a message, each with its field path and its rule's id."""
    found = validator().collect_violations(message)
    if not found:
        return
    violations, rule_ids = [], []
    for violation in found:
        path = _path(violation.proto.field)
        text = violation.proto.message
        if violation.proto.rule_id in _ENUM_RULES:
            text = f"{violation.field_value} is no value of this enum; GET /v1/parameters lists them"
        violations.append((".".join(part for part in (prefix, path) if part), text))
        rule_ids.append(violation.proto.rule_id)
    raise InvalidArgument(violations, rule_ids)


def _path(field: Any) -> str:
    """A FieldPath as people write it: `configuration.optimizations.enabled[1]`. Empty for a rule of the message itself."""
    parts = []
    for element in field.elements if field else ():
        subscript = f"[{element.subscript.value}]" if element.subscript else ""
        parts.append(f"{element.field_name}{subscript}")
    return ".".join(parts)
