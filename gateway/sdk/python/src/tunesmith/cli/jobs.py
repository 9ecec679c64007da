"""`tunesmith jobs`: create, look at, watch, pause, resume and cancel."""

import sys
from typing import Annotated, cast

import typer
from tunesmith.cli import job_results, job_script, job_views, preflight_views
from tunesmith.cli.choices import chosen
from tunesmith.cli.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_UNREACHABLE, EXIT_USAGE, CliError, explain
from tunesmith.cli.job_file import STANDARD_INPUT_SHOWN, JobFile, read_job_file
from tunesmith.cli.job_progress import JobProgress
from tunesmith.cli.job_watch import LAST_POINTS, watch_job
from tunesmith.cli.output import Format
from tunesmith.cli.paging import DEFAULT_LIMIT, LimitOption, gather
from tunesmith.cli.session import Session, command
from tunesmith.client.calls import new_request_id
from tunesmith.client.errors import TunesmithError, Violation
from tunesmith.job.v1 import job_pb2, job_state_pb2
from tunesmith.job.v1 import job_service_pb2 as messages
from tunesmith.preflight.v1 import finding_pb2

app = typer.Typer(help="Work that outlives the person who asked for it.", no_args_is_help=True)

DEFAULT_PROVIDER = "local"
STATE_PREFIX = "JOB_STATE_"
NONE_FOUND = "no such jobs; `tunesmith jobs create` adds one"
WARNINGS_NOT_ACCEPTED = "WARNINGS_NOT_ACCEPTED"

Id = Annotated[str, typer.Argument(help="The job's id.")]


@command(app, "create")
def create_job(
    session: Session,
    file: Annotated[str, typer.Option("--file", "-f", help="A job's configuration as YAML or JSON; - is standard input.")],
    provider: Annotated[str | None, typer.Option("--provider", help="The backend. Unset: the file's, or local.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="What people call it.")] = None,
    accept_warnings: Annotated[bool, typer.Option("--accept-warnings", help="Go on in spite of warnings.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse what the provider can't use.")] = False,
    request_id: Annotated[str | None, typer.Option("--request-id", help="Repeat one to create no second job.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it is over.")] = False,
    from_artifact: Annotated[
        str | None, typer.Option("--from", help="Go on where another job stood: a file of its checkpoint, by its id.")
    ] = None,
) -> None:
    """Create a job from a file."""
    job_file = read_job_file(file)
    request = job_file.request
    request.provider = provider or request.provider or DEFAULT_PROVIDER
    request.display_name = name or request.display_name
    request.accept_warnings |= accept_warnings
    request.strict |= strict
    request.from_artifact_id = from_artifact or request.from_artifact_id
    # Made here and not by the call, so that it can be named should the answer stay away.
    request.request_id = request_id or request.request_id or new_request_id()
    response = _create(session, job_file)
    if not watch:
        session.output.show(response, lambda: job_views.one(response.job))
        return
    session.output.note(f"created {response.job.id}")
    watch_to_end(session, response.job.id)


@command(app, "list")
def list_jobs(
    session: Session,
    state: Annotated[list[str] | None, typer.Option("--state", help="Only jobs in this state; may be repeated.")] = None,
    provider: Annotated[str | None, typer.Option("--provider", help="Only jobs of this provider.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Only jobs whose name contains this, in any case.")] = None,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """List jobs, newest first."""
    filters = {"states": [state_of(one) for one in state or []], "provider": provider, "search": search}
    # A table shows nothing of the configurations, which are nine tenths of the bytes.
    view = messages.JOB_VIEW_BASIC if session.output.format is Format.TABLE else messages.JOB_VIEW_FULL
    response = gather(session.client.jobs.list_jobs, limit, session.output, NONE_FOUND, view=view, **filters)
    session.output.show(response, lambda: job_views.many(response.jobs))


@command(app, "get")
def get_job(session: Session, id: Id) -> None:
    """Show a job; -o yaml has its configuration too."""
    response = session.client.jobs.get_job(id=id)
    session.output.show(response, lambda: job_views.one(response.job))


@command(app, "watch")
def watch(session: Session, id: Id) -> None:
    """Follow a job until it is over. Exits with 1 unless it succeeds."""
    watch_to_end(session, id)


@command(app, "cancel")
def cancel_job(session: Session, id: Id) -> None:
    """Ask a job to stop at its next step."""
    response = session.client.jobs.cancel_job(id=id)
    session.output.show(response, lambda: job_views.one(response.job))


@command(app, "pause")
def pause_job(session: Session, id: Id) -> None:
    """Have a job store where it stands and wait."""
    response = session.client.jobs.pause_job(id=id)
    session.output.show(response, lambda: job_views.one(response.job))


@command(app, "resume")
def resume_job(
    session: Session,
    id: Id,
    from_artifact: Annotated[
        str | None, typer.Option("--from", help="A file of the checkpoint to go back to, by its id.")
    ] = None,
) -> None:
    """Let a paused job go on from where it stopped, or from a checkpoint."""
    response = session.client.jobs.resume_job(id=id, from_artifact_id=from_artifact)
    session.output.show(response, lambda: job_views.one(response.job))


job_results.add_to(app)
job_script.add_to(app)


def state_of(typed: str) -> job_state_pb2.JobState:
    """A state by its short name."""
    return cast(job_state_pb2.JobState, chosen(job_state_pb2.JobState, STATE_PREFIX, "--state", typed))


def _create(session: Session, job_file: JobFile) -> messages.CreateJobResponse:
    fields = {field.name: value for field, value in job_file.request.ListFields()}
    try:
        return session.client.jobs.create_job(**fields)
    except TunesmithError as error:
        if error.reason != WARNINGS_NOT_ACCEPTED or not _accepts(session, job_file):
            raise _refusal(job_file, error) from None
    job_file.request.accept_warnings = True
    return _create(session, job_file)


def _accepts(session: Session, job_file: JobFile) -> bool:
    """Show the warnings and ask, if there is somebody who can answer."""
    if session.output.format is not Format.TABLE or job_file.name == STANDARD_INPUT_SHOWN or not _somebody_is_there():
        return False
    request = job_file.request
    checked = session.client.preflight.check_configuration(provider=request.provider, configuration=request.configuration)
    warnings = [one for one in checked.report.findings if one.severity == finding_pb2.SEVERITY_WARNING]
    session.output.table(preflight_views.findings(warnings, job_file))
    return typer.confirm("Create the job all the same?", err=True)


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _refusal(job_file: JobFile, error: TunesmithError) -> CliError:
    if error.violations:
        return CliError("\n".join(_located(job_file, one) for one in error.violations), EXIT_USAGE)
    refusal = explain(error)
    if error.reason == WARNINGS_NOT_ACCEPTED:
        refusal.hint = "--accept-warnings goes on all the same"
    elif refusal.exit_code == EXIT_UNREACHABLE:
        refusal.hint = f"should it have been created all the same, --request-id {job_file.request.request_id} finds it"
    return refusal


def _located(job_file: JobFile, violation: Violation) -> str:
    place, own = job_file.place(violation.field)
    return f"{place}: {Violation(own, violation.description)}"


def watch_to_end(session: Session, id: str) -> None:
    """Follow a job until it is over, and exit with 1 unless it succeeded."""
    try:
        job = _follow(session, id)
    except KeyboardInterrupt:
        session.output.note(
            f"the job goes on; `tunesmith jobs watch {id}` takes it up again, `tunesmith jobs cancel {id}` ends it"
        )
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if session.output.format is not Format.JSON:
        session.output.show(messages.GetJobResponse(job=job), lambda: job_views.summary(job))
    if job.state != job_state_pb2.JOB_STATE_SUCCEEDED:
        raise typer.Exit(EXIT_FAILED)


def _follow(session: Session, id: str) -> job_pb2.Job:
    """Show a job until it is over; the job as it ended."""
    job = job_pb2.Job()
    if session.output.format is Format.TABLE:
        with JobProgress(session.output) as progress:
            for response in watch_job(session, id, max_points_per_series=LAST_POINTS):
                progress.update(response)
                job = response.job
        return job
    as_json = session.output.format is Format.JSON
    for response in watch_job(session, id, max_points_per_series=0 if as_json else LAST_POINTS):
        if as_json:
            session.output.json_line(response)
        job = response.job
    return job
