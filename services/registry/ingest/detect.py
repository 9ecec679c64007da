"""What the rows of a dataset are, from the names of a row's columns."""

from collections.abc import Iterable, Mapping

from tunesmith.registry.v1 import dataset_pb2

Format = dataset_pb2.DatasetFormat

# In this order: rows of preference pairs may also have conversations, rows of messages a text beside them.
REQUIRED_COLUMNS: Mapping[Format, tuple[str, ...]] = {
    dataset_pb2.DATASET_FORMAT_PREFERENCE: ("chosen", "rejected"),
    dataset_pb2.DATASET_FORMAT_MESSAGES: ("messages",),
    dataset_pb2.DATASET_FORMAT_SHAREGPT: ("conversations",),
    dataset_pb2.DATASET_FORMAT_ALPACA: ("instruction", "output"),
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: ("prompt", "completion"),
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: ("image", "label"),
    dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION: ("image", "caption"),
    dataset_pb2.DATASET_FORMAT_INTERACTIONS: ("user_id", "item_id"),
    dataset_pb2.DATASET_FORMAT_TEXT: ("text",),
}


def detect(columns: Iterable[str]) -> Format | None:
    """The format of rows with these columns; None if they fit none."""
    there = set(columns)
    return next((kind for kind, required in REQUIRED_COLUMNS.items() if there.issuperset(required)), None)


def known_columns() -> str:
    """The columns of every format, for an error."""
    return "; ".join(", ".join(required) for required in REQUIRED_COLUMNS.values())
