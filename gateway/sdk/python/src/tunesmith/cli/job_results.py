"""`tunesmith jobs events | metrics | artifacts | download`: what a job left behind."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.choices import chosen
from tunesmith.cli.errors import EXIT_NOT_FOUND, CliError
from tunesmith.cli.job_progress import event_kind
from tunesmith.cli.output import table
from tunesmith.cli.session import Session, command
from tunesmith.cli.transfer import download
from tunesmith.client.download import FileInTheWay, nothing_of
from tunesmith.client.paging import gather
from tunesmith.job.v1 import artifact_pb2, job_event_pb2, metric_pb2
from tunesmith.job.v1 import job_service_pb2 as messages

KIND_PREFIX = "ARTIFACT_KIND_"

Id = Annotated[str, typer.Argument(help="The job's id.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to `tunesmith jobs`."""
    command(app, "events")(list_events)
    command(app, "metrics")(list_metrics)
    command(app, "artifacts")(list_artifacts)
    command(app, "download")(download_artifacts)


def list_events(session: Session, id: Id) -> None:
    """List what happened to a job, oldest first."""
    answer = gather(session.client.jobs.list_job_events, job_id=id)
    session.output.show(answer, lambda: _events(answer.events))


def list_metrics(
    session: Session,
    id: Id,
    key: Annotated[str | None, typer.Option("--key", help="Only this series, point by point: train_loss.")] = None,
) -> None:
    """List a job's metric series."""
    answer = session.client.jobs.list_job_metrics(job_id=id, key=key)
    if key and not answer.series:
        raise CliError(f"job {id} has no series {key!r}; leave --key out to see which it has", EXIT_NOT_FOUND)
    session.output.show(answer, lambda: _points(answer.series) if key else _series(answer.series))


def list_artifacts(session: Session, id: Id) -> None:
    """List the files that a job made."""
    answer = gather(session.client.jobs.list_artifacts, job_id=id)
    session.output.show(answer, lambda: _artifacts(answer.artifacts))


def download_artifacts(
    session: Session,
    id: Id,
    kind: Annotated[
        str | None, typer.Option("--kind", help="adapter, model, checkpoint, gguf or onnx. Unset: the result.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="The folder to write to. Unset: the job's id.", file_okay=False)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there with other content.")] = False,
) -> None:
    """Download what a job made, and check every byte of it."""
    number = chosen(artifact_pb2.ArtifactKind, KIND_PREFIX, "--kind", kind) if kind else None
    artifacts = session.client.list_artifacts(id, number)
    if not artifacts:
        raise nothing_of(id, number)
    folder = (to or Path(id)).resolve()
    try:
        download(session, artifacts, folder, overwrite)
    except FileInTheWay as error:
        raise CliError(error.message, hint="--to names another folder, --overwrite replaces what is there") from None
    session.output.show(messages.ListArtifactsResponse(artifacts=artifacts), lambda: _written(artifacts, folder))


def _events(events: Iterable[job_event_pb2.JobEvent]) -> Table:
    rows = [(str(event.sequence), wording.clock(event.create_time), event_kind(event), event.message) for event in events]
    return table("#", "TIME", "WHAT", "MESSAGE", rows=rows, whole=2)


def _series(series: Iterable[metric_pb2.MetricSeries]) -> Table:
    rows = []
    for one in series:
        values = [point.value for point in one.points]
        ends = [wording.number(value) for value in (values[0], values[-1], min(values), max(values))] if values else [""] * 4
        rows.append((one.key, f"{len(values):,}", str(one.points[-1].step) if values else "", *ends))
    return table("KEY", "POINTS", "LAST STEP", "FIRST", "LAST", "LOWEST", "HIGHEST", rows=rows)


def _points(series: Iterable[metric_pb2.MetricSeries]) -> Table:
    rows = [(str(point.step), wording.number(point.value), wording.clock(point.time)) for one in series for point in one.points]
    return table("STEP", "VALUE", "TIME", rows=rows)


def _artifacts(artifacts: Iterable[artifact_pb2.Artifact]) -> Table:
    rows = [(one.id, _kind(one), one.path, wording.size(one.size_bytes), str(one.step), one.sha256[:12]) for one in artifacts]
    return table("ID", "KIND", "PATH", "SIZE", "STEP", "SHA256", rows=rows)


def _written(artifacts: Iterable[artifact_pb2.Artifact], folder: Path) -> Table:
    rows = [(str(folder / one.path), wording.size(one.size_bytes)) for one in artifacts]
    return table("FILE", "SIZE", rows=rows)


def _kind(artifact: artifact_pb2.Artifact) -> str:
    return wording.choice(artifact_pb2.ArtifactKind, artifact.kind, KIND_PREFIX)
