"""The rules of the protos, applied to a message: what is wrong is said in the same words wherever it is looked at."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf.message import Message
from tunesmith.client.errors import InvalidArgument, Violation
from tunesmith.client.requests import parsed
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

_ENUM_RULES = ("enum.defined_only", "enum.not_in")


def validate(configuration: JobConfiguration | Mapping[str, Any]) -> list[Violation]:
    """What the server would refuse in a configuration, in its words; empty if there is nothing.

    A mapping is read as JSON has it; paths begin below it: `schedule.epochs`. What only the server knows, its models and
    datasets, is not looked at. Needs `pip install tunesmith[validate]`.
    """
    try:
        message = configuration if isinstance(configuration, JobConfiguration) else parsed(JobConfiguration, configuration)
    except InvalidArgument as error:
        return error.violations
    return violations_of(message)


def violations_of(message: Message, prefix: str = "") -> list[Violation]:
    """Every rule that a message breaks, with field paths below `prefix`."""
    return [_violation(one, prefix) for one in _validator().collect_violations(message)]


@cache
def _validator() -> Any:
    """One validator a process: it compiles a message's rules once."""
    try:
        import protovalidate
    except ImportError:
        raise ImportError("the rules need protovalidate, which is not installed; run `pip install tunesmith[validate]`") from None
    return protovalidate.Validator()


def _violation(found: Any, prefix: str) -> Violation:
    text = found.proto.message
    if found.proto.rule_id in _ENUM_RULES:
        text = f"{found.field_value} is no value of this enum; GET /v1/parameters lists them"
    path = ".".join(part for part in (prefix, _path(found.proto.field)) if part)
    return Violation(path, text, found.proto.rule_id)


def _path(field: Any) -> str:
    """A FieldPath as people write it: `configuration.optimizations.enabled[1]`. Empty for a rule of the message itself."""
    parts = []
    for element in field.elements if field else ():
        subscript = f"[{element.subscript.value}]" if element.subscript else ""
        parts.append(f"{element.field_name}{subscript}")
    return ".".join(parts)
