"""What the rows of a dataset are, from the names of a row's columns."""

from collections.abc import Iterable

from tunesmith.registry.v1 import dataset_pb2

from services.chassis.dataset_columns import REQUIRED_COLUMNS

Format = dataset_pb2.DatasetFormat


def detect(columns: Iterable[str]) -> Format | None:
    """The format of rows with these columns; None if they fit none."""
    there = set(columns)
    return next((kind for kind, required in REQUIRED_COLUMNS.items() if there.issuperset(required)), None)


def known_columns() -> str:
    """The columns of every format, for an error."""
    return "; ".join(", ".join(required) for required in REQUIRED_COLUMNS.values())
