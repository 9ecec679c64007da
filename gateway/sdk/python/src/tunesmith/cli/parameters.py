"""`tunesmith parameters`: what a job's configuration can say."""

import difflib
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table
from tunesmith import reference
from tunesmith.cli import wording
from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.cli.output import table
from tunesmith.cli.session import Session
from tunesmith.parameter.v1 import parameter_pb2, parameter_service_pb2


def list_parameters(
    session: Session,
    section: Annotated[str | None, typer.Argument(help="Only this part of it: schedule, optimizer.scheduler, …")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page to read, in Markdown.")] = False,
) -> None:
    """List every knob of a job's configuration, with its range and its default."""
    response = session.client.parameters.list_parameters()
    if section is not None:
        response = _only(response, section)
    if markdown:
        for line in reference.page(response.parameters).splitlines():
            session.output.write(wording.plain(line))
    else:
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
            reference.takes(parameter),
            reference.default(parameter),
            reference.recommended(parameter),
            parameter.help or parameter.label,
        )
        for parameter in parameters
    ]
    drawn = table("FIELD", "TAKES", "DEFAULT", "RECOMMENDED", "WHAT IT DOES", rows=rows)
    if any(parameter.required for parameter in parameters):
        drawn.caption, drawn.caption_justify = "* required", "left"
    return drawn
