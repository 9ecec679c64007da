"""Applies what preflight proposes to a configuration: a copy with the edits, the original untouched."""

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from tunesmith.client.errors import Violation, invalid
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1 import finding_pb2

# What a field was set to; None stands for one that was removed, which JSON's null never is here.
_Changes = Mapping[str, Any]


def apply_fixes(configuration: JobConfiguration, findings: Iterable[finding_pb2.Finding]) -> JobConfiguration:
    """A copy of a configuration with the fixes of some findings, in their order.

    A fix is taken whole or not at all: one that touches a field which an earlier one has changed otherwise is left out, and the
    next check says whether it is still needed. Raises InvalidArgument for a fix of another version, with a field or a value that
    this one does not know.
    """
    fields = MessageToDict(configuration, preserving_proto_field_name=True)
    changed: dict[str, Any] = {}
    for finding in findings:
        edits = {edit.field_path: _value(edit) for edit in finding.fix.edits}
        if any(_contradicts(changed, path, value) for path, value in edits.items()):
            continue
        for edit in finding.fix.edits:
            _put(fields, edit.field_path.split("."), _value(edit))
        changed |= edits
    try:
        return ParseDict(fields, JobConfiguration())
    except ParseError as error:
        raise invalid([Violation("", f"a fix does not fit the configuration: {error}")]) from None


def _value(edit: finding_pb2.FieldEdit) -> Any:
    return MessageToDict(edit.value) if edit.HasField("value") else None


def _contradicts(changed: _Changes, path: str, value: Any) -> bool:
    """Whether a field, one in it or one around it was set to something else."""
    return any(
        earlier.startswith(f"{path}.") or path.startswith(f"{earlier}.") or (earlier == path and before != value)
        for earlier, before in changed.items()
    )


def _put(fields: dict[str, Any], path: list[str], value: Any) -> None:
    name, *rest = path
    if rest:
        # What is not there needs no removing.
        if name in fields or value is not None:
            _put(fields.setdefault(name, {}), rest, value)
    elif value is None:
        fields.pop(name, None)
    else:
        fields[name] = value
