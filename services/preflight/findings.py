"""Makes findings and their fixes: every check says what it found with these."""

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value
from tunesmith.preflight.v1.finding_pb2 import (
    SEVERITY_ERROR,
    SEVERITY_NOTE,
    SEVERITY_WARNING,
    FieldEdit,
    Finding,
    Fix,
)

Json = None | bool | float | str | list["Json"] | dict[str, "Json"]


def error(code: str, path: str, message: str, fix: Fix | None = None) -> Finding:
    """Something that makes a job impossible."""
    return Finding(code=code, severity=SEVERITY_ERROR, field_path=path, message=message, fix=fix)


def warning(code: str, path: str, message: str, fix: Fix | None = None) -> Finding:
    """Something that a person has to confirm."""
    return Finding(code=code, severity=SEVERITY_WARNING, field_path=path, message=message, fix=fix)


def note(code: str, path: str, message: str, fix: Fix | None = None) -> Finding:
    """Something worth knowing."""
    return Finding(code=code, severity=SEVERITY_NOTE, field_path=path, message=message, fix=fix)


def fix(label: str, *edits: FieldEdit) -> Fix:
    """What a button does."""
    return Fix(label=label, edits=edits)


def put(path: str, value: Json) -> FieldEdit:
    """Set a field to a value as JSON has it."""
    return FieldEdit(field_path=path, value=_value(value))


def _value(value: Json) -> Value:
    message = Value()
    # Typed for objects only; a Value takes anything that JSON has.
    ParseDict(value, message)  # type: ignore[arg-type]
    return message


def remove(path: str) -> FieldEdit:
    """Take a field out."""
    return FieldEdit(field_path=path)


def in_order(findings: list[Finding], order: dict[str, int]) -> list[Finding]:
    """Errors, then warnings, then notes; each in the order of the form. What is said twice is said once."""
    unique: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        unique.setdefault((finding.code, finding.field_path, finding.fix.label or finding.message), finding)
    last = len(order)
    return sorted(unique.values(), key=lambda one: (-one.severity, order.get(one.field_path.partition("[")[0], last)))
