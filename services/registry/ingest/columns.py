"""The columns of a dataset, counted while its rows pass."""

from typing import Any

from tunesmith.registry.v1 import dataset_pb2

from services.registry.ingest.rows import RowFault, quoted

# A list of datasets carries every column of each, and must fit into one message.
MAX_COLUMNS = 256
MAX_NAME_BYTES = 128
# Rows of one dataset have few shapes; past this many they are counted into the columns and forgotten.
_MAX_SHAPES = 1024

_TYPES = {
    str: dataset_pb2.COLUMN_TYPE_STRING,
    int: dataset_pb2.COLUMN_TYPE_NUMBER,
    float: dataset_pb2.COLUMN_TYPE_NUMBER,
    bool: dataset_pb2.COLUMN_TYPE_BOOLEAN,
    list: dataset_pb2.COLUMN_TYPE_LIST,
    dict: dataset_pb2.COLUMN_TYPE_OBJECT,
}


class Columns:
    """Names, types and counts of values.

    A row is counted by its shape, names and types in one tuple, because counting each value of each row took a third of an
    upload's time.
    """

    def __init__(self) -> None:
        self._shapes: dict[tuple[Any, ...], int] = {}
        self._columns: dict[str, dataset_pb2.DatasetColumn] = {}

    def add(self, row: dict[str, Any]) -> None:
        """Count a row. Raises RowFault if there are too many columns."""
        shape = (*row, *map(type, row.values()))
        count = self._shapes.get(shape)
        if count is None:
            self._meet(row)
        self._shapes[shape] = (count or 0) + 1

    def result(self) -> list[dataset_pb2.DatasetColumn]:
        """The columns in the order in which they were first seen."""
        self._count_shapes()
        return list(self._columns.values())

    def _meet(self, row: dict[str, Any]) -> None:
        for name in row:
            if name not in self._columns:
                if len(name.encode()) > MAX_NAME_BYTES:
                    raise RowFault(f"the column name {quoted(name)} is longer than {MAX_NAME_BYTES} bytes; shorten it")
                if len(self._columns) == MAX_COLUMNS:
                    raise RowFault(f"{quoted(name)} is column {MAX_COLUMNS + 1}; put the rest into an object or leave it out")
                self._columns[name] = dataset_pb2.DatasetColumn(name=name)
        if len(self._shapes) == _MAX_SHAPES:
            self._count_shapes()

    def _count_shapes(self) -> None:
        for shape, count in self._shapes.items():
            half = len(shape) // 2
            for name, kind in zip(shape[:half], shape[half:], strict=True):
                if kind is not type(None):
                    _count(self._columns[name], _TYPES[kind], count)
        self._shapes.clear()


def _count(column: dataset_pb2.DatasetColumn, kind: dataset_pb2.ColumnType, count: int) -> None:
    column.value_count += count
    if column.type == dataset_pb2.COLUMN_TYPE_UNSPECIFIED:
        column.type = kind
    elif column.type != kind:
        column.type = dataset_pb2.COLUMN_TYPE_MIXED
