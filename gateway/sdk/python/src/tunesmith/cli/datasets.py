"""`tunesmith datasets`: what to train and evaluate on."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, cast

import typer
from google.protobuf.json_format import MessageToDict
from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.choices import chosen
from tunesmith.cli.output import facts, table
from tunesmith.cli.paging import DEFAULT_LIMIT, LimitOption, gather
from tunesmith.cli.session import Session, command
from tunesmith.cli.transfer import upload
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as registry

app = typer.Typer(help="What to train and evaluate on.", no_args_is_help=True)

PREFIX = "DATASET_FORMAT_"
NONE_YET = "no datasets; `tunesmith datasets upload` adds one"
# A preview is to look at, not to copy; -o json has the whole values.
PREVIEW_CHARACTERS = 300

Id = Annotated[str, typer.Argument(help="The dataset's id.")]


@command(app, "upload")
def upload_dataset(
    session: Session,
    file: Annotated[Path, typer.Argument(help="A .jsonl, .json, .csv or .parquet file.", exists=True, dir_okay=False)],
    name: Annotated[
        str | None, typer.Option("--name", help="What people call it; a name that is there gets a new version.")
    ] = None,
    format: Annotated[str | None, typer.Option("--format", help="What the rows are, such as messages. Unset: detected.")] = None,
) -> None:
    """Upload a dataset."""
    response = registry.UploadDatasetResponse(dataset=upload(session, file, name, format_of(format)))
    session.output.show(response, lambda: _one(response.dataset))


@command(app, "list")
def list_datasets(
    session: Session,
    format: Annotated[str | None, typer.Option("--format", help="Only datasets of this format.")] = None,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """List datasets, newest first."""
    call = session.client.registry.list_datasets
    response = gather(call, limit, session.output, NONE_YET, format=format_of(format))
    session.output.show(response, lambda: _many(response.datasets))


@command(app, "get")
def get_dataset(session: Session, id: Id) -> None:
    """Show a dataset."""
    response = session.client.registry.get_dataset(id=id)
    session.output.show(response, lambda: _one(response.dataset))


@command(app, "preview")
def preview_dataset(
    session: Session,
    id: Id,
    rows: Annotated[int, typer.Option("--rows", min=1, max=100, help="How many rows.")] = 5,
) -> None:
    """Show the first rows of a dataset."""
    response = session.client.registry.preview_dataset(id=id, row_count=rows)
    session.output.show(response, lambda: _rows(response))


def format_of(typed: str | None) -> dataset_pb2.DatasetFormat:
    """A format by its short name; unspecified for none."""
    number = chosen(dataset_pb2.DatasetFormat, PREFIX, "--format", typed) if typed else 0
    return cast(dataset_pb2.DatasetFormat, number)


def _many(datasets: Iterable[dataset_pb2.Dataset]) -> Table:
    rows = [
        (
            dataset.id,
            dataset.display_name,
            str(dataset.version),
            _format(dataset),
            f"{dataset.row_count:,}",
            wording.size(dataset.size_bytes),
            wording.ago(dataset.create_time),
        )
        for dataset in datasets
    ]
    return table("ID", "NAME", "VERSION", "FORMAT", "ROWS", "SIZE", "CREATED", rows=rows)


def _one(dataset: dataset_pb2.Dataset) -> Table:
    columns = [
        f"{column.name} ({wording.choice(dataset_pb2.ColumnType, column.type, 'COLUMN_TYPE_')})" for column in dataset.columns
    ]
    return facts(
        [
            ("id", dataset.id),
            ("name", dataset.display_name),
            ("version", str(dataset.version)),
            ("file", dataset.filename),
            ("format", _format(dataset)),
            ("rows", f"{dataset.row_count:,}"),
            ("columns", ", ".join(columns)),
            ("size", wording.size(dataset.size_bytes)),
            ("sha256", dataset.sha256),
            ("created", wording.ago(dataset.create_time)),
        ]
    )


def _rows(response: registry.PreviewDatasetResponse) -> Table:
    shown = []
    for index, row in enumerate(response.rows, 1):
        for column, value in MessageToDict(row).items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            cut = f"{text[:PREVIEW_CHARACTERS]}…" if len(text) > PREVIEW_CHARACTERS else text
            shown.append((str(index), column, cut))
    return table("ROW", "COLUMN", "VALUE", rows=shown, whole=2)


def _format(dataset: dataset_pb2.Dataset) -> str:
    return wording.choice(dataset_pb2.DatasetFormat, dataset.format, PREFIX)
