"""Parquet: spooled to disk, because its index is at its end, then read by a process of its own.

A page says how large it will be once it is unpacked, and a library believes it. In a process with a limit the file that promises
little and unpacks to gigabytes ends that process and nothing else, and so does one that makes the library crash.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from services.chassis.errors import InvalidArgument
from services.registry.ingest.row_file import write_all
from services.registry.ingest.rows import FIELD, Problems, Row

# What a line of the process's answer begins with.
ROW, FAULT, REFUSAL, END = b"{", b"-", b"!", b"."
_PIPE_BYTES = 1024 * 1024
_WITHOUT_WORDS = "the Parquet file ended the program that reads it; write it again, or upload the rows as JSONL"


class ParquetReader:
    """Rows of a Parquet file."""

    def __init__(self, problems: Problems, spool: Path) -> None:
        problems.unit = "row"
        self._problems = problems
        self._spool = spool

    def feed(self, piece: bytes) -> Iterator[Row]:
        """Keep the piece; the rows come at the end."""
        # Opened each time, so that an upload that breaks off leaves no open file behind.
        with self._spool.open("ab", buffering=0) as file:
            write_all(file.fileno(), piece)
        return iter(())

    def finish(self) -> Iterator[Row]:
        command = [sys.executable, "-m", "services.registry.ingest.parquet", str(self._spool)]
        # What the library says in its despair helps nobody; the answer has the words that do.
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=_PIPE_BYTES
        ) as process:
            try:
                yield from self._rows(process)
            finally:
                # Ended already, unless reading stopped before its end.
                process.kill()
                self._spool.unlink(missing_ok=True)

    def _rows(self, process: subprocess.Popen[bytes]) -> Iterator[Row]:
        assert process.stdout is not None
        number = 0
        for line in process.stdout:
            mark, content = line[:1], line[:-1]
            if mark == ROW:
                number += 1
                # Dates became text, and numbers that are none null.
                yield Row(number, orjson.loads(content), content)
            elif mark == FAULT:
                number += 1
                self._problems.add(number, content[1:].decode())
            elif mark == REFUSAL:
                raise InvalidArgument([(FIELD, content[1:].decode(errors="replace"))])
            elif mark == END:
                return
        raise InvalidArgument([(FIELD, f"row {number + 1}: {_WITHOUT_WORDS}")])
