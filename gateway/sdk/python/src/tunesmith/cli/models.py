"""`tunesmith models`: what can be tuned."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.cli.output import facts, table
from tunesmith.cli.paging import DEFAULT_LIMIT, LimitOption, gather
from tunesmith.cli.session import Session, command
from tunesmith.registry.v1 import base_model_pb2

app = typer.Typer(help="What can be tuned.", no_args_is_help=True)

# The server copies and hashes the weights before it answers.
IMPORT_TIMEOUT_S = 3600.0
ARTIFACT_PREFIX = "artifact:"
NONE_YET = "no base models; `tunesmith models import` adds one"
_HUB_NAME = re.compile(r"[A-Za-z0-9_.\-]+/[A-Za-z0-9_.\-]+")


@command(app, "import")
def import_model(
    session: Session,
    source: Annotated[str, typer.Argument(help="A folder, a hub name (organisation/model), or artifact:ID.")],
    name: Annotated[str | None, typer.Option("--name", help="The name to list it under, as organisation/model.")] = None,
    display_name: Annotated[str | None, typer.Option("--display-name", help="What people call it.")] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a hub model.")] = None,
) -> None:
    """Register a base model: a folder, a hub name, or what an earlier job trained."""
    origin = origin_of(source, revision)
    if "local_folder" in origin:
        session.output.note(f"importing {origin['local_folder']}; the server copies its files and checks them")
    response = session.client.registry.create_base_model(
        hub_repo=name, display_name=display_name, timeout=IMPORT_TIMEOUT_S, **origin
    )
    session.output.show(response, lambda: _one(response.base_model))


@command(app, "list")
def list_models(session: Session, limit: LimitOption = DEFAULT_LIMIT) -> None:
    """List base models, newest first."""
    response = gather(session.client.registry.list_base_models, limit, session.output, NONE_YET)
    session.output.show(response, lambda: _many(response.base_models))


@command(app, "get")
def get_model(session: Session, id: Annotated[str, typer.Argument(help="An id, or a hub name.")]) -> None:
    """Show a base model."""
    response = session.client.registry.get_base_model(id=id)
    session.output.show(response, lambda: _one(response.base_model))


def origin_of(source: str, revision: str | None) -> dict[str, Any]:
    """The field that says where a model comes from: a folder that is there wins over a hub name."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        _refuse_revision(revision, "a folder")
        return {"local_folder": str(folder.resolve())}
    if source.startswith(ARTIFACT_PREFIX):
        _refuse_revision(revision, "an artifact")
        return {"artifact_id": source.removeprefix(ARTIFACT_PREFIX)}
    if _HUB_NAME.fullmatch(source):
        return {"hub": {"repo": source, "revision": revision}}
    text = f"{source!r} is no folder here, no hub name (organisation/model) and no artifact:ID; check the path"
    raise CliError(text, EXIT_USAGE)


def _refuse_revision(revision: str | None, source: str) -> None:
    if revision is not None:
        raise CliError(f"--revision: {source} has no revisions, only a hub model has; leave it out", EXIT_USAGE)


def _chat_template(model: base_model_pb2.BaseModel) -> str:
    if model.chat_template:
        return "yes"
    # Of a model that was not downloaded yet nothing is known.
    return "no: strategy CHAT is refused" if model.files else ""


def _many(models: Iterable[base_model_pb2.BaseModel]) -> Table:
    rows = [
        (
            model.id,
            model.hub_repo or model.display_name,
            model.family,
            wording.count(model.parameter_count) if model.HasField("parameter_count") else "",
            wording.size(model.size_bytes) if model.size_bytes else "",
            wording.choice(base_model_pb2.CacheStatus, model.cache_status, "CACHE_STATUS_"),
            wording.ago(model.create_time),
        )
        for model in models
    ]
    return table("ID", "NAME", "FAMILY", "PARAMETERS", "SIZE", "HERE", "CREATED", rows=rows)


def _one(model: base_model_pb2.BaseModel) -> Table:
    shape = model.architecture
    return facts(
        [
            ("id", model.id),
            ("name", model.hub_repo),
            ("display name", model.display_name),
            ("revision", model.revision),
            ("family", model.family),
            ("parameters", f"{model.parameter_count:,}" if model.HasField("parameter_count") else ""),
            ("stored as", model.dtype),
            ("layers", str(shape.layer_count) if shape.HasField("layer_count") else ""),
            ("hidden size", str(shape.hidden_size) if shape.HasField("hidden_size") else ""),
            ("longest sequence", f"{shape.max_position_count:,} tokens" if shape.HasField("max_position_count") else ""),
            ("stage", wording.choice(base_model_pb2.Stage, model.stage, "STAGE_")),
            ("trainable", "yes" if model.trainable else "no"),
            ("chat template", _chat_template(model)),
            ("linear modules", ", ".join(model.linear_modules)),
            ("weights", wording.choice(base_model_pb2.CacheStatus, model.cache_status, "CACHE_STATUS_")),
            ("size", wording.size(model.size_bytes) if model.size_bytes else ""),
            ("made by job", model.lineage.job_id),
            ("created", wording.ago(model.create_time)),
        ]
    )
