"""`tunesmith datasets`: what to train and evaluate on."""

from pathlib import Path
from typing import Annotated, cast

import typer
from tunesmith.cli import dataset_views as views
from tunesmith.cli.choices import chosen
from tunesmith.cli.errors import EXIT_FAILED
from tunesmith.cli.output import Format
from tunesmith.cli.paging import DEFAULT_LIMIT, LimitOption, gather
from tunesmith.cli.session import Session, command
from tunesmith.cli.transfer import upload
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as registry

app = typer.Typer(help="What to train and evaluate on.", no_args_is_help=True)

NONE_YET = "no datasets; `tunesmith datasets upload` adds one"
# Counting, converting and verifying read a whole dataset before they answer.
WHOLE_DATASET_S = 3600.0

Id = Annotated[str, typer.Argument(help="The dataset's id.")]


@command(app, "upload")
def upload_dataset(
    session: Session,
    file: Annotated[
        Path, typer.Argument(help="A .jsonl, .json, .csv or .parquet file, or a .zip of pictures.", exists=True, dir_okay=False)
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="What people call it; a name that is there gets a new version.")
    ] = None,
    format: Annotated[str | None, typer.Option("--format", help="What the rows are, such as messages. Unset: detected.")] = None,
) -> None:
    """Upload a dataset."""
    response = registry.UploadDatasetResponse(dataset=upload(session, file, name, format_of(format)))
    session.output.show(response, lambda: views.one(response.dataset))


@command(app, "list")
def list_datasets(
    session: Session,
    format: Annotated[str | None, typer.Option("--format", help="Only datasets of this format.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Only datasets whose name contains this, in any case.")] = None,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """List datasets, newest first."""
    call = session.client.registry.list_datasets
    none = "no such datasets; leave out --search and --format for all of them" if search or format else NONE_YET
    response = gather(call, limit, session.output, none, format=format_of(format), search=search)
    session.output.show(response, lambda: views.many(response.datasets))


@command(app, "versions")
def list_versions(
    session: Session,
    name: Annotated[str, typer.Argument(help="What the dataset is called.")],
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """List the versions under a name, newest first."""
    none = f"nothing is called {name}; `tunesmith datasets list --search` finds a part of a name"
    response = gather(session.client.registry.list_datasets, limit, session.output, none, display_name=name)
    session.output.show(response, lambda: views.many(response.datasets))


@command(app, "get")
@command(app, "show")
def get_dataset(session: Session, id: Id) -> None:
    """Show a dataset."""
    response = session.client.registry.get_dataset(id=id)
    session.output.show(response, lambda: views.one(response.dataset))


@command(app, "preview")
def preview_dataset(
    session: Session,
    id: Id,
    rows: Annotated[int, typer.Option("--rows", min=1, max=100, help="How many rows.")] = 5,
) -> None:
    """Show the first rows of a dataset."""
    response = session.client.registry.preview_dataset(id=id, row_count=rows)
    session.output.show(response, lambda: views.rows(response))


@command(app, "stats")
def count_dataset(
    session: Session,
    id: Id,
    model: Annotated[
        str | None, typer.Option("--model", help="The base model whose tokenizer counts, by id or hub name. Unset: estimated.")
    ] = None,
) -> None:
    """Show how long a dataset's rows are, which are equal, what is missing, and who speaks."""
    session.output.note("counting; the second time it is remembered")
    call = session.client.registry.get_dataset_statistics
    response = call(id=id, base_model=model, timeout=WHOLE_DATASET_S)
    if model and not response.statistics.tokenizer_base_model_id:
        session.output.note(f"the tokenizer of {model} is not on the server, so tokens are estimated; download the model first")
    session.output.show(response, lambda: views.figures(response.statistics))
    if session.output.format is Format.TABLE:
        session.output.table(views.histogram(response.statistics))


@command(app, "convert")
def convert_dataset(
    session: Session,
    id: Id,
    to: Annotated[str, typer.Option("--to", help="messages, chatml-text, alpaca, sharegpt, prompt-completion or openai-jsonl.")],
    name: Annotated[
        str | None, typer.Option("--name", help="What people call the new dataset. Unset: the old name and --to.")
    ] = None,
    skip_unfit: Annotated[
        bool, typer.Option("--skip-unfit", help="Leave out rows that have no place in the new format.")
    ] = False,
) -> None:
    """Make a dataset of another format out of one; the old one stays."""
    target = chosen(registry.ConversionTarget, "CONVERSION_TARGET_", "--to", to)
    response = session.client.registry.convert_dataset(
        id=id, target=target, display_name=name, skip_unfit_rows=skip_unfit, timeout=WHOLE_DATASET_S
    )
    for skipped in response.skipped_rows:
        session.output.note(f"left out: {skipped}")
    if response.skipped_row_count > len(response.skipped_rows):
        session.output.note(f"left out: {response.skipped_row_count - len(response.skipped_rows):,} more")
    session.output.show(response, lambda: views.one(response.dataset))


@command(app, "verify")
def verify_dataset(session: Session, id: Id) -> None:
    """Look whether a dataset's rows are still those that were stored; exit code 1 if they are not."""
    response = session.client.registry.verify_dataset(id=id, timeout=WHOLE_DATASET_S)
    session.output.show(response, lambda: views.one(response.dataset))
    if response.dataset.integrity.status == dataset_pb2.INTEGRITY_STATUS_FAILED:
        raise typer.Exit(EXIT_FAILED)


@command(app, "describe")
def describe_dataset(
    session: Session, id: Id, text: Annotated[str, typer.Argument(help="What to say of it; empty removes it.")]
) -> None:
    """Say what a dataset is."""
    response = session.client.registry.update_dataset(id=id, description=text)
    session.output.show(response, lambda: views.one(response.dataset))


@command(app, "delete")
def delete_dataset(session: Session, id: Id) -> None:
    """Take a dataset off the list. Jobs that were created with it go on."""
    session.client.registry.delete_dataset(id=id)
    session.output.note(f"{id} is off the list; jobs that were created with it go on")


def format_of(typed: str | None) -> dataset_pb2.DatasetFormat:
    """A format by its short name; unspecified for none."""
    number = chosen(dataset_pb2.DatasetFormat, views.PREFIX, "--format", typed) if typed else 0
    return cast(dataset_pb2.DatasetFormat, number)
