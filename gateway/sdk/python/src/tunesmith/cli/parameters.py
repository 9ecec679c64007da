"""`tunesmith parameters`: what a job's configuration can say."""

import difflib
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.cli.output import table
from tunesmith.cli.session import CALL_TIMEOUT_S, Session
from tunesmith.options.v1 import field_pb2
from tunesmith.parameter.v1 import parameter_pb2, parameter_service_pb2


def list_parameters(
    session: Session,
    section: Annotated[str | None, typer.Argument(help="Only this part of it: schedule, optimizer.scheduler, …")] = None,
) -> None:
    """List every knob of a job's configuration, with its range and its default."""
    response = session.connection.parameters.ListParameters(parameter_service_pb2.ListParametersRequest(), timeout=CALL_TIMEOUT_S)
    if section is not None:
        response = _only(response, section)
    session.output.show(response, lambda: _many(response.parameters))


def _only(response: parameter_service_pb2.ListParametersResponse, section: str) -> parameter_service_pb2.ListParametersResponse:
    chosen = [parameter for parameter in response.parameters if f"{parameter.field_path}.".startswith(f"{section}.")]
    if not chosen:
        sections = sorted({parameter.field_path.partition(".")[0] for parameter in response.parameters})
        near = difflib.get_close_matches(section, sections, 1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(sections)}"
        raise CliError(f"{section}: no such section; {advice}", EXIT_USAGE)
    return parameter_service_pb2.ListParametersResponse(parameters=chosen)


def _many(parameters: Iterable[parameter_pb2.Parameter]) -> Table:
    rows = [
        (
            parameter.field_path + (" *" if parameter.required else ""),
            allowed(parameter),
            _default(parameter.default_value),
            _recommended(parameter),
            parameter.help or parameter.label,
        )
        for parameter in parameters
    ]
    drawn = table("FIELD", "TAKES", "DEFAULT", "RECOMMENDED", "WHAT IT DOES", rows=rows)
    if any(parameter.required for parameter in parameters):
        drawn.caption, drawn.caption_justify = "* required", "left"
    return drawn


def allowed(parameter: parameter_pb2.Parameter) -> str:
    """What a knob takes: its range, its values, or its type."""
    if parameter.choices:
        one = " | ".join(choice.value for choice in parameter.choices)
        return f"list of {one}" if parameter.repeated else one
    if parameter.HasField("range"):
        return _range(parameter.range, parameter.unit)
    return wording.choice(parameter_pb2.ParameterType, parameter.type, "PARAMETER_TYPE_")


def _range(bounds: parameter_pb2.HardRange, unit: str) -> str:
    low = f"{'above ' if bounds.min_exclusive else ''}{bounds.min:.10g}" if bounds.HasField("min") else "any"
    high = f"{'below ' if bounds.max_exclusive else ''}{bounds.max:.10g}" if bounds.HasField("max") else "any"
    return f"{low} to {high}{f' {unit}' if unit else ''}"


def _default(value: field_pb2.KnobValue) -> str:
    kind = value.WhichOneof("kind")
    if kind == "number":
        return f"{value.number:.10g}"
    return str(getattr(value, kind)).lower() if kind == "flag" else value.text


def _recommended(parameter: parameter_pb2.Parameter) -> str:
    if not parameter.HasField("recommended"):
        return ""
    return f"{parameter.recommended.min:.10g} to {parameter.recommended.max:.10g}"
