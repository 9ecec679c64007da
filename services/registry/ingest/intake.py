"""One upload from its first piece to a finished file of rows. Runs on a worker thread; knows no RPC and no database."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunesmith.registry.v1 import dataset_pb2

from services.chassis.errors import InvalidArgument, ResourceExhausted
from services.registry.ingest.columns import Columns
from services.registry.ingest.csv_rows import CsvReader
from services.registry.ingest.detect import Format, detect, known_columns
from services.registry.ingest.formats import Check, check_of
from services.registry.ingest.json_array import JsonArrayReader
from services.registry.ingest.jsonl import JsonlReader
from services.registry.ingest.parquet import ParquetReader
from services.registry.ingest.picture_archive import PictureArchiveReader
from services.registry.ingest.row_file import RowFile
from services.registry.ingest.rows import FIELD, Problems, Reader, Row, RowFault, quoted, to_line, too_long
from services.registry.ingest.sniff import HEAD_BYTES, FileKind, kind_of, without_bom
from services.registry.statistics.text_share import TextShare

ROWS_FILE = "rows.jsonl"
_SPOOL_FILE, _ARCHIVE_FILE = "source.parquet", "source.zip"
_COLUMNS_SHOWN = 10


@dataclass(frozen=True)
class Limits:
    """What one upload may take."""

    dataset_bytes: int
    row_bytes: int


class Intake:
    """Reads an upload, checks every row, and writes it, one JSON object a line, into a folder of its own."""

    def __init__(self, folder: Path, filename: str, declared: Format, limits: Limits) -> None:
        """`declared` is what the uploader says the rows are; DATASET_FORMAT_UNSPECIFIED means that the first row tells."""
        self._folder = folder
        self._filename = filename
        self._limits = limits
        self._format = declared
        self._check: Check | None = check_of(declared) if declared else None
        self._problems = Problems()
        self._columns = Columns()
        self._text = TextShare()
        self._rows = RowFile(folder / ROWS_FILE)
        # The file's first bytes, until there are enough of them to choose its reader.
        self._head = b""
        self._reader: Reader | None = None
        self._source_hash = hashlib.sha256()
        self._source_bytes = 0
        self._source_end = b""

    def feed(self, piece: bytes) -> None:
        """Take the next piece. Raises InvalidArgument or ResourceExhausted, and then takes no more."""
        self._source_bytes += len(piece)
        self._refuse_larger(self._source_bytes)
        self._source_hash.update(piece)
        self._source_end = piece[-1:]
        if self._reader is not None:
            self._store(self._reader.feed(piece))
            return
        self._head += piece
        if len(self._head) >= HEAD_BYTES:
            self._begin()

    def finish(self) -> dataset_pb2.Dataset:
        """What was read, on disk when this returns. Raises like `feed`."""
        reader = self._reader or self._begin()
        self._store(reader.finish())
        self._problems.refuse()
        self._rows.finish()
        self._refuse_larger(self._rows.size_bytes)
        if not self._rows.row_count:
            raise InvalidArgument([(FIELD, "the file holds no rows; upload at least one")])
        return dataset_pb2.Dataset(
            format=self._format,
            row_count=self._rows.row_count,
            size_bytes=self._rows.size_bytes,
            sha256=self._rows_sha256(reader),
            source_sha256=self._source_hash.hexdigest(),
            columns=self._columns.result(),
            estimated_token_count=self._text.tokens(self._rows.size_bytes),
        )

    def close(self) -> None:
        """Let go of the file, however it ended."""
        self._rows.close()

    def _rows_sha256(self, reader: Reader) -> str:
        # JSONL is stored as it came, less what is blank, so the same length is the same bytes. Hashing them a second time took a
        # tenth of an upload.
        same = self._source_end == b"\n" and self._source_bytes == self._rows.size_bytes
        if isinstance(reader, JsonlReader) and same:
            return self._source_hash.hexdigest()
        with (self._folder / ROWS_FILE).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _begin(self) -> Reader:
        """Choose the reader, and give it what came so far."""
        kind = kind_of(self._filename, self._head)
        self._reader = self._reader_of(kind)
        head = self._head if kind in (FileKind.PARQUET, FileKind.ZIP) else without_bom(self._head)
        self._head = b""
        self._store(self._reader.feed(head))
        return self._reader

    def _reader_of(self, kind: FileKind) -> Reader:
        match kind:
            case FileKind.JSONL:
                return JsonlReader(self._problems, self._limits.row_bytes)
            case FileKind.JSON:
                return JsonArrayReader(self._problems, self._limits.row_bytes)
            case FileKind.CSV:
                return CsvReader(self._problems, self._limits.row_bytes)
            case FileKind.PARQUET:
                return ParquetReader(self._problems, self._folder / _SPOOL_FILE)
            case FileKind.ZIP:
                return PictureArchiveReader(self._problems, self._folder / _ARCHIVE_FILE, self._limits.row_bytes)

    def _store(self, rows: Iterator[Row]) -> None:
        for row in rows:
            try:
                line = self._checked(row)
            except RowFault as fault:
                self._problems.add(row.line, str(fault))
                continue
            # Reading goes on to find more problems; what is read would be thrown away.
            if not self._problems and self._rows.add(line):
                self._refuse_larger(self._rows.size_bytes)

    def _checked(self, row: Row) -> bytes:
        """The row's line. Raises RowFault if the row does not fit the others."""
        check = self._check or self._choose_check(row)
        fault = check(row.value)
        if fault:
            raise RowFault(fault)
        self._columns.add(row.value)
        line = row.stored or to_line(row.value)
        if len(line) > self._limits.row_bytes:
            raise RowFault(too_long(self._limits.row_bytes))
        self._text.add(self._format, row.value, len(line))
        return line

    def _choose_check(self, row: Row) -> Check:
        detected = detect(row.value)
        if detected is None:
            names = ", ".join(quoted(name) for name in list(row.value)[:_COLUMNS_SHOWN]) or "none"
            text = f"has the columns {names}, which fit no format. Rename them to those of one format: {known_columns()}"
            self._problems.stop(row.line, text)
        self._format = detected
        self._check = check_of(detected)
        return self._check

    def _refuse_larger(self, byte_count: int) -> None:
        if byte_count > self._limits.dataset_bytes:
            text = (
                f"a dataset may have {self._limits.dataset_bytes} bytes and this one has more; "
                "split it, or raise TUNESMITH_MAX_DATASET_BYTES"
            )
            raise ResourceExhausted("DATASET_TOO_LARGE", text, {"limit_bytes": str(self._limits.dataset_bytes)})
