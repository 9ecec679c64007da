"""`tunesmith preflight`: what is wrong with a job, what it needs and what it costs, before it runs."""

from collections.abc import Callable
from typing import Annotated

import typer
from tunesmith.cli import preflight_views
from tunesmith.cli.errors import EXIT_FAILED, EXIT_USAGE, CliError
from tunesmith.cli.job_file import STANDARD_INPUT, JobFile, read_job_file
from tunesmith.cli.job_file_writing import write_job_file
from tunesmith.cli.output import Format
from tunesmith.cli.session import Session
from tunesmith.client.calls import DEADLINE_S
from tunesmith.client.fixes import apply_fixes
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1 import finding_pb2
from tunesmith.preflight.v1 import preflight_service_pb2 as messages

DEFAULT_PROVIDER = "local"
# A trace waits for a pool, and builds the model there.
TRACE_TIMEOUT_S = 120.0
# One fix can bring up another: a method that is changed wants other settings.
FIX_ROUNDS = 4


def preflight(
    session: Session,
    file: Annotated[str, typer.Argument(help="A job's configuration as YAML or JSON; - is standard input.")],
    provider: Annotated[str | None, typer.Option("--provider", help="The backend. Unset: the file's, or local.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="Check this recipe's requirements too.")] = None,
    traced: Annotated[bool, typer.Option("--traced", help="Have a pool run the model's own code without weights.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Correct the file: errors and warnings that have a fix.")] = False,
) -> None:
    """Check a job's file without creating anything. Exits with 1 if the job would be refused."""
    if fix and file == STANDARD_INPUT:
        raise CliError("--fix corrects a file, and standard input is none; name the file", EXIT_USAGE)
    job_file = read_job_file(file)
    backend = provider or job_file.request.provider or DEFAULT_PROVIDER
    estimation = messages.ESTIMATION_TRACED if traced else messages.ESTIMATION_CLOSED_FORM

    def check(configuration: JobConfiguration) -> messages.CheckConfigurationResponse:
        return session.client.preflight.check_configuration(
            provider=backend,
            configuration=configuration,
            estimation=estimation,
            recipe=recipe,
            timeout=TRACE_TIMEOUT_S if traced else DEADLINE_S,
        )

    response = check(job_file.request.configuration)
    if fix:
        response = _corrected(session, job_file, response, check)
    if session.output.format is Format.TABLE:
        preflight_views.show(session.output, response.report, job_file)
    else:
        session.output.show(response, lambda: preflight_views.expectations(response.report))
    if not response.report.ok:
        raise typer.Exit(EXIT_FAILED)


def _corrected(
    session: Session,
    job_file: JobFile,
    response: messages.CheckConfigurationResponse,
    check: Callable[[JobConfiguration], messages.CheckConfigurationResponse],
) -> messages.CheckConfigurationResponse:
    """Apply what can be fixed until nothing is left of it, write the file, and answer the check of what it holds now."""
    configuration = job_file.request.configuration
    applied: list[str] = []
    for _ in range(FIX_ROUNDS):
        fixable = [one for one in response.report.findings if one.severity != finding_pb2.SEVERITY_NOTE and one.HasField("fix")]
        changed = apply_fixes(configuration, fixable)
        if changed == configuration:
            break
        applied += [f"{one.field_path}: {one.fix.label}" for one in fixable]
        configuration = changed
        response = check(configuration)
    if not applied:
        session.output.note("nothing to correct")
        return response
    job_file.request.configuration.CopyFrom(configuration)
    place = write_job_file(job_file)
    for line in dict.fromkeys(applied):
        session.output.note(line)
    session.output.note(f"wrote {place.written}; what it was before is in {place.kept}")
    return response
