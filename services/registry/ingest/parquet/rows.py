"""What is in a Parquet file: checked by what it promises, then read in small batches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet, types

from services.registry.ingest.rows import RowFault, quoted, to_line

# Text compresses five to twenty times. A file that promises two hundred is made to fill the disk.
MAX_EXPANSION = 200
# Below this an odd ratio harms nobody, and a small file of equal rows has one.
EXPANSION_FLOOR_BYTES = 64 * 1024 * 1024
# Rows that are in memory together: many of the usual size, and one if it may be as large as a row may be.
_BATCH_BYTES = 2 * 1024 * 1024
_MAX_BATCH_ROWS = 256
# Without a limit, a column of a group of rows is read at once, which may be the whole file.
_READ_BYTES = 1024 * 1024


class Refused(Exception):
    """Why no row of the file can be taken, or none after those that were."""


def read(path: Path) -> Iterator[bytes | RowFault]:
    """Each row as a line of JSON, or why it is none. Raises Refused, and MemoryError where there is a limit."""
    # One thread: each other takes memory of its own, and the registry's has the second core.
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    pa.set_memory_pool(pa.system_memory_pool())
    return _read(path)


def _read(path: Path) -> Iterator[bytes | RowFault]:
    try:
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=_READ_BYTES) as file:
            metadata = file.metadata
            promised = sum(metadata.row_group(index).total_byte_size for index in range(file.num_row_groups))
            expansion = _Expansion(path.stat().st_size)
            expansion.check(promised)
            _check_schema(file.schema_arrow)
            batch_rows = max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES * metadata.num_rows // max(1, promised)))
            for batch in file.iter_batches(batch_size=batch_rows, use_threads=False):
                yield from _lines(batch, expansion)
    except pa.ArrowMemoryError as error:
        raise MemoryError from error
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise Refused(f"the Parquet file cannot be read ({reason}); write it again") from error


def _lines(batch: Any, expansion: "_Expansion") -> Iterator[bytes | RowFault]:
    for value in batch.to_pylist():
        try:
            line = to_line(value)
        except RowFault as fault:
            yield fault
            continue
        # Equal values are stored once however many there are, so what the file promises is not the whole truth.
        expansion.add(len(line))
        yield line


class _Expansion:
    """How much larger the rows are than their file."""

    def __init__(self, file_bytes: int) -> None:
        self._limit = max(EXPANSION_FLOOR_BYTES, MAX_EXPANSION * file_bytes)
        self._written = 0

    def add(self, byte_count: int) -> None:
        self._written += byte_count
        self.check(self._written)

    def check(self, byte_count: int) -> None:
        """Raise Refused for more than a file of its size may hold."""
        if byte_count > self._limit:
            raise Refused(
                f"the Parquet file unpacks to more than {MAX_EXPANSION} times its size; write it without such compression, "
                "or upload the rows as JSONL"
            )


def _check_schema(schema: Any) -> None:
    """Raise Refused for columns that no row of JSON can have."""
    repeated = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if repeated is not None:
        raise Refused(f"the Parquet file has the column {quoted(repeated)} twice; rename one")
    for field in schema:
        _check_type(field.name, field.type)


def _check_type(column: str, kind: Any) -> None:
    """Raise Refused for a column that JSON has no type for."""
    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        _check_type(column, kind.value_type)
    elif types.is_struct(kind):
        for index in range(kind.num_fields):
            field = kind.field(index)
            _check_type(f"{column}.{field.name}", field.type)
    elif not _is_plain(kind):
        raise Refused(f"column {column} holds {kind}, which JSON has no type for; turn it into text or numbers")


def _is_plain(kind: Any) -> bool:
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_boolean, types.is_integer, types.is_null)
    return any(test(kind) for test in (*tests, types.is_floating, types.is_timestamp, types.is_date, types.is_time))
