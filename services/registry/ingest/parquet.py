"""Parquet: spooled to disk, because its index is at its end, then read in small batches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from services.chassis.errors import InvalidArgument
from services.registry.ingest.row_file import write_all
from services.registry.ingest.rows import FIELD, Problems, Row, RowFault, quoted, to_line

# Text compresses five to twenty times. A file that promises two hundred is made to fill the disk.
MAX_EXPANSION = 200
# Below this an odd ratio harms nobody, and a small file of equal rows has one.
EXPANSION_FLOOR_BYTES = 64 * 1024 * 1024
# Few, because each may be as large as a row may be.
BATCH_ROWS = 64
# Without a limit, a column of a group of rows is read at once, which may be the whole file.
_READ_BYTES = 1024 * 1024


class ParquetReader:
    """Rows of a Parquet file."""

    def __init__(self, problems: Problems, spool: Path) -> None:
        problems.unit = "row"
        self._problems = problems
        self._spool = spool
        self._byte_count = 0

    def feed(self, piece: bytes) -> Iterator[Row]:
        """Keep the piece; the rows come at the end."""
        # Opened each time, so that an upload that breaks off leaves no open file behind.
        with self._spool.open("ab", buffering=0) as file:
            write_all(file.fileno(), piece)
        self._byte_count += len(piece)
        return iter(())

    def finish(self) -> Iterator[Row]:
        # Only here: importing it costs every registry 60 MB.
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self._spool, pre_buffer=False, buffer_size=_READ_BYTES) as file:
                # It stays readable while it is open, and is gone however reading ends.
                self._spool.unlink()
                self._check_expansion(sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups)))
                _check_schema(file.schema_arrow)
                yield from self._batches(file)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            reason = str(error).splitlines()[0][:200]
            raise InvalidArgument([(FIELD, f"the Parquet file cannot be read ({reason}); write it again")]) from error

    def _batches(self, file: Any) -> Iterator[Row]:
        number = written = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            for value in batch.to_pylist():
                number += 1
                try:
                    stored = to_line(value)
                    # Equal values are stored once however many there are, so what the file promises is not the whole truth.
                    written += len(stored)
                    self._check_expansion(written)
                    # Dates become text here, and numbers that are none become null.
                    yield Row(number, orjson.loads(stored), stored)
                except RowFault as fault:
                    self._problems.add(number, str(fault))

    def _check_expansion(self, byte_count: int) -> None:
        if byte_count > max(EXPANSION_FLOOR_BYTES, MAX_EXPANSION * self._byte_count):
            text = (
                f"the Parquet file unpacks to more than {MAX_EXPANSION} times its size; write it without such compression, "
                "or upload the rows as JSONL"
            )
            raise InvalidArgument([(FIELD, text)])


def _check_schema(schema: Any) -> None:
    """Raise for columns that no row of JSON can have."""
    repeated = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if repeated is not None:
        raise InvalidArgument([(FIELD, f"the Parquet file has the column {quoted(repeated)} twice; rename one")])
    for field in schema:
        _check_type(field.name, field.type)


def _check_type(column: str, kind: Any) -> None:
    """Raise for a column that JSON has no type for."""
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        _check_type(column, kind.value_type)
    elif types.is_struct(kind):
        for index in range(kind.num_fields):
            field = kind.field(index)
            _check_type(f"{column}.{field.name}", field.type)
    elif not _is_plain(kind):
        text = f"column {column} holds {kind}, which JSON has no type for; turn it into text or numbers"
        raise InvalidArgument([(FIELD, text)])


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_boolean, types.is_integer, types.is_null)
    return any(test(kind) for test in (*tests, types.is_floating, types.is_timestamp, types.is_date, types.is_time))
