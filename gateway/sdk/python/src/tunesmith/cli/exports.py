"""`tunesmith export`: make something else of trained weights."""

from typing import Annotated

import typer
from tunesmith.cli import job_views
from tunesmith.cli.choices import chosen
from tunesmith.cli.jobs import watch_to_end
from tunesmith.cli.session import Session
from tunesmith.client.exporting import FORMAT_PREFIX, TYPE_PREFIX
from tunesmith.config.v1 import export_configuration_pb2
from tunesmith.job.v1 import job_service_pb2 as messages


def export(
    session: Session,
    source: Annotated[str, typer.Argument(help="A job, or a set of artifacts: a checkpoint's id.", metavar="JOB|ARTIFACT")],
    format: Annotated[str, typer.Option("--format", "-f", help="adapter, merged, gguf or onnx.")],
    gguf_type: Annotated[str | None, typer.Option("--type", help="Of GGUF: f32, f16, bf16 or q8_0. Unset: f16.")] = None,
    push: Annotated[str | None, typer.Option("--push", help="Push it to this repository on the hub, too: user/model.")] = None,
    credential: Annotated[
        str | None, typer.Option("--credential", help="The worker's environment variable with the hub's token. Unset: HF_TOKEN.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What people call the job.")] = None,
    request_id: Annotated[str | None, typer.Option("--request-id", help="Repeat one to create no second job.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it is over.")] = False,
) -> None:
    """Make a merged model, a GGUF file or an ONNX graph of trained weights, or push them to a hub."""
    job = session.client.export(
        source,
        chosen(export_configuration_pb2.ExportFormat, FORMAT_PREFIX, "--format", format),
        gguf_type=chosen(export_configuration_pb2.GgufType, TYPE_PREFIX, "--type", gguf_type) if gguf_type else None,
        push_to=push,
        credential_id=credential,
        display_name=name,
        request_id=request_id,
    )
    if not watch:
        session.output.show(messages.CreateJobResponse(job=job), lambda: job_views.one(job))
        return
    session.output.note(f"created {job.id}")
    watch_to_end(session, job.id)
