"""`tunesmith models`: what can be tuned."""

from typing import Annotated, Any

import typer
from tunesmith.cli import model_views
from tunesmith.cli.choices import chosen
from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.cli.model_download import watch_download
from tunesmith.cli.model_origin import origin_of
from tunesmith.cli.paging import DEFAULT_LIMIT, LimitOption, gather
from tunesmith.cli.session import Session, command
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as registry

app = typer.Typer(help="What can be tuned.", no_args_is_help=True)

# The server copies and hashes the weights before it answers.
IMPORT_TIMEOUT_S = 3600.0
NONE_YET = "no such base models; `tunesmith models add` or `tunesmith models import` adds one"

Id = Annotated[str, typer.Argument(help="An id, or a hub name.")]
Stage = Annotated[str | None, typer.Option("--stage", help="How far along it is: random, pretrained or instruct.")]
Lifecycle = Annotated[str | None, typer.Option("--lifecycle", help="Whether it was vetted: staging or production.")]
License = Annotated[str | None, typer.Option("--license", help="As its publisher names it: apache-2.0.")]
DisplayName = Annotated[str | None, typer.Option("--display-name", help="What people call it.")]
Revision = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a hub model.")]
Credential = Annotated[
    str | None, typer.Option("--credential", help="The environment variable of the server that holds the repository's token.")
]


@command(app, "import")
def import_model(
    session: Session,
    source: Annotated[str, typer.Argument(help="A folder, a hub name (organisation/model), or artifact:ID.")],
    name: Annotated[str | None, typer.Option("--name", help="The name to list it under, as organisation/model.")] = None,
    display_name: DisplayName = None,
    revision: Revision = None,
) -> None:
    """Register a base model: a folder, a hub name, or what an earlier job trained."""
    origin = origin_of(source, revision)
    if "local_folder" in origin:
        session.output.note(f"importing {origin['local_folder']}; the server copies its files and checks them")
    response = session.client.registry.create_base_model(
        hub_repo=name, display_name=display_name, timeout=IMPORT_TIMEOUT_S, **origin
    )
    session.output.show(response, lambda: model_views.one(response.base_model))


@command(app, "add")
def add_model(
    session: Session,
    hub: Annotated[str, typer.Option("--hub", help="A model on the hub, as organisation/model.")],
    revision: Revision = None,
    credential: Credential = None,
    private: Annotated[bool | None, typer.Option("--private/--public", help="Whether its repository asks for a token.")] = None,
    display_name: DisplayName = None,
    stage: Stage = None,
    lifecycle: Lifecycle = None,
    license: License = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch it into the registry, and stay until it is there.")] = False,
) -> None:
    """Register a model of the hub: the server asks the hub what it is."""
    # Who names a credential says that it takes one.
    private = credential is not None if private is None else private
    source = {"repo": hub, "revision": revision, "credential_id": credential, "private": private}
    response = session.client.registry.create_base_model(
        hub=source, display_name=display_name, license=license, **_said(stage, lifecycle)
    )
    if download:
        started = session.client.registry.download_base_model(id=response.base_model.id).base_model
        response.base_model.CopyFrom(watch_download(session, started))
    session.output.show(response, lambda: model_views.one(response.base_model))


@command(app, "list")
def list_models(
    session: Session,
    family: Annotated[str | None, typer.Option("--family", help="Only of this family, as transformers names it: llama.")] = None,
    stage: Stage = None,
    lifecycle: Lifecycle = None,
    trainable: Annotated[bool | None, typer.Option("--trainable/--not-trainable", help="Only what can be tuned, or not.")] = None,
    modality: Annotated[str | None, typer.Option("--modality", help="Only what reads this: text, vision, vision-text.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Only what has this in its name or family.")] = None,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """List base models, newest first."""
    filters: dict[str, Any] = {"family": family, "trainable": trainable, "search": search, **_said(stage, lifecycle)}
    if modality:
        filters["modality"] = chosen(base_model_pb2.Modality, "MODALITY_", "--modality", modality)
    response = gather(session.client.registry.list_base_models, limit, session.output, NONE_YET, **filters)
    session.output.show(response, lambda: model_views.many(response.base_models))


@command(app, "show")
@command(app, "get")
def get_model(session: Session, id: Id) -> None:
    """Show a base model."""
    response = session.client.registry.get_base_model(id=id)
    session.output.show(response, lambda: model_views.one(response.base_model))


@command(app, "update")
def update_model(
    session: Session,
    id: Id,
    display_name: DisplayName = None,
    stage: Stage = None,
    lifecycle: Lifecycle = None,
    license: License = None,
    private: Annotated[bool | None, typer.Option("--private/--public", help="Whether its repository asks for a token.")] = None,
    credential: Credential = None,
    chat_template: Annotated[
        bool | None, typer.Option("--chat-template/--no-chat-template", help="Whether its tokenizer has a chat template.")
    ] = None,
) -> None:
    """Change what people say about a base model; --credential "" removes the credential."""
    changes: dict[str, Any] = {"display_name": display_name, "license": license, "private": private, "credential_id": credential}
    changes |= {"has_chat_template": chat_template, **_said(stage, lifecycle)}
    if all(value is None for value in changes.values()):
        raise CliError("nothing to change; name at least one option, `tunesmith models update --help` lists them", EXIT_USAGE)
    response = session.client.registry.update_base_model(id=_id_of(session, id), **changes)
    session.output.show(response, lambda: model_views.one(response.base_model))


@command(app, "delete")
def delete_model(session: Session, id: Id) -> None:
    """Take a base model off the list. Jobs that were created with it go on."""
    session.client.registry.delete_base_model(id=_id_of(session, id))
    session.output.note(f"{id} is off the list; jobs that were created with it go on")


@command(app, "download")
def download_model(
    session: Session,
    id: Id,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it is there.")] = False,
) -> None:
    """Fetch a hub model into the registry, so that jobs start without a download."""
    response = session.client.registry.download_base_model(id=_id_of(session, id))
    model = watch_download(session, response.base_model) if watch else response.base_model
    shown = registry.DownloadBaseModelResponse(base_model=model)
    session.output.show(shown, lambda: model_views.one(model))


def _said(stage: str | None, lifecycle: str | None) -> dict[str, Any]:
    """Stage and lifecycle by their short names; nothing for what is unset."""
    said: dict[str, Any] = {}
    if stage:
        said["stage"] = chosen(base_model_pb2.Stage, "STAGE_", "--stage", stage)
    if lifecycle:
        said["lifecycle"] = chosen(base_model_pb2.Lifecycle, "LIFECYCLE_", "--lifecycle", lifecycle)
    return said


def _id_of(session: Session, name: str) -> str:
    """The id of what is named by its id or its hub name: what changes a model takes its id."""
    return session.client.registry.get_base_model(id=name).base_model.id if "/" in name else name
