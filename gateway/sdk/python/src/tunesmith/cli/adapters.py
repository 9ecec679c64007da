"""`tunesmith adapters`: trained weights beside base models."""

import math
from pathlib import Path
from typing import Annotated

import typer
from tunesmith.cli.adapter_views import STATUS_PREFIX, TYPE_PREFIX, many, one, written
from tunesmith.cli.choices import chosen
from tunesmith.cli.errors import EXIT_NOT_FOUND, EXIT_USAGE, CliError
from tunesmith.cli.output import facts
from tunesmith.cli.paging import DEFAULT_LIMIT, LimitOption, gather
from tunesmith.cli.session import Session, command
from tunesmith.cli.transfer import download_adapter_files, upload_adapter
from tunesmith.client import paging
from tunesmith.client.download import FileInTheWay
from tunesmith.registry.v1 import adapter_pb2
from tunesmith.registry.v1 import adapter_service_pb2 as messages

app = typer.Typer(help="Trained weights beside base models.", no_args_is_help=True)

ARTIFACT_PREFIX = "artifact:"
NONE_YET = "no adapters; `tunesmith adapters upload` and `tunesmith adapters add` add one"
# The server copies, hashes and adds up gigabytes before it answers.
WRITE_TIMEOUT_S = 3600.0
_ID_CHARACTERS = 36

Name = Annotated[str, typer.Argument(help="The adapter's id, or its name if no other has it.")]
DisplayName = Annotated[str | None, typer.Option("--name", help="What people call it.")]
Description = Annotated[str | None, typer.Option("--description", help="What it is for.")]
BaseModel = Annotated[str | None, typer.Option("--base-model", help="The base model it was trained on, by id or hub name.")]


@command(app, "list")
def list_adapters(
    session: Session,
    base_model: Annotated[str | None, typer.Option("--base-model", help="Only adapters of this base model.")] = None,
    type: Annotated[str | None, typer.Option("--type", help="Only adapters of this type: lora, dora or prompt.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Only adapters in this status, such as ready.")] = None,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """List adapters, newest first."""
    response = gather(
        session.client.adapters.list_adapters,
        limit,
        session.output,
        NONE_YET,
        base_model=base_model,
        type=chosen(adapter_pb2.AdapterType, TYPE_PREFIX, "--type", type) if type else None,
        status=chosen(adapter_pb2.AdapterStatus, STATUS_PREFIX, "--status", status) if status else None,
    )
    session.output.show(response, lambda: many(response.adapters))


@command(app, "show")
def show_adapter(session: Session, name: Name) -> None:
    """Show an adapter."""
    response = session.client.adapters.get_adapter(id=_id_of(session, name))
    session.output.show(response, lambda: one(response.adapter))


@command(app, "add")
def add_adapter(
    session: Session,
    source: Annotated[str, typer.Argument(help="artifact:ID of a job's adapter, or a folder on the server.")],
    base_model: BaseModel = None,
    name: DisplayName = None,
    description: Description = None,
) -> None:
    """Register an adapter that a job trained, or one in a folder on the server."""
    if source.startswith(ARTIFACT_PREFIX):
        origin = {"artifact_id": source.removeprefix(ARTIFACT_PREFIX)}
    else:
        origin = {"local_folder": str(Path(source).expanduser().absolute())}
        if base_model is None:
            raise CliError("--base-model is required with a folder: name the base model it was trained on", EXIT_USAGE)
    response = session.client.adapters.create_adapter(
        display_name=name, description=description, base_model=base_model, timeout=WRITE_TIMEOUT_S, **origin
    )
    session.output.show(response, lambda: one(response.adapter))


@command(app, "upload")
def upload(
    session: Session,
    source: Annotated[Path, typer.Argument(help="A folder that save_pretrained wrote, or a tar archive of one.", exists=True)],
    base_model: Annotated[str, typer.Option("--base-model", help="The base model it was trained on, by id or hub name.")],
    name: DisplayName = None,
    description: Description = None,
) -> None:
    """Upload an adapter."""
    response = messages.UploadAdapterResponse(adapter=upload_adapter(session, source, base_model, name, description))
    session.output.show(response, lambda: one(response.adapter))


@command(app, "compose")
def compose_adapters(
    session: Session,
    shares: Annotated[
        list[str], typer.Argument(help="Each adapter with its weight: code=0.7 math=0.3.", metavar="ADAPTER=WEIGHT…")
    ],
    name: DisplayName = None,
    description: Description = None,
) -> None:
    """Make an adapter that changes what these change together, each with its weight."""
    components = [
        adapter_pb2.AdapterWeight(adapter_id=_id_of(session, one), weight=weight) for one, weight in map(_share, shares)
    ]
    response = session.client.adapters.compose_adapters(
        display_name=name, description=description, components=components, timeout=WRITE_TIMEOUT_S
    )
    session.output.show(response, lambda: one(response.adapter))


@command(app, "delete")
def delete_adapter(session: Session, name: Name) -> None:
    """Take an adapter off the list. Adapters that were composed of it stay as they are."""
    adapter_id = _id_of(session, name)
    response = session.client.adapters.delete_adapter(id=adapter_id)
    session.output.note(f"deleted {name}")
    session.output.show(response, lambda: facts([("id", adapter_id)]))


@command(app, "download")
def download(
    session: Session,
    name: Name,
    to: Annotated[
        Path | None, typer.Option("--to", help="The folder to write to. Unset: the adapter's id.", file_okay=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there with other content.")] = False,
) -> None:
    """Download an adapter, as PEFT loads it, and check every byte of it."""
    response = session.client.adapters.get_adapter(id=_id_of(session, name))
    folder = (to or Path(response.adapter.id)).resolve()
    try:
        download_adapter_files(session, response.adapter, folder, overwrite)
    except FileInTheWay as error:
        raise CliError(error.message, hint="--to names another folder, --overwrite replaces what is there") from None
    session.output.show(response, lambda: written(response.adapter, folder))


def _share(text: str) -> tuple[str, float]:
    """An adapter and its weight, which is 1 unless it is given."""
    name, equals, number = text.rpartition("=")
    if not equals:
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not name or not math.isfinite(weight):
        raise CliError(f"{text!r} is no adapter with its weight; write NAME=0.5", EXIT_USAGE)
    return name, weight


def _id_of(session: Session, name: str) -> str:
    """The id of an adapter that may be named otherwise. Raises CliError unless it is exactly one."""
    if len(name) == _ID_CHARACTERS and name.count("-") == 4:
        return name
    adapters = paging.gather(session.client.adapters.list_adapters).adapters
    found = [adapter.id for adapter in adapters if name in (adapter.id, adapter.display_name)]
    if not found:
        raise CliError(f"adapter {name!r} does not exist; `tunesmith adapters list` lists them", EXIT_NOT_FOUND)
    if len(found) > 1:
        raise CliError(f"{name!r} is the name of several adapters ({', '.join(found[:5])}); give the id", EXIT_USAGE)
    return found[0]
