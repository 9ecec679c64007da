"""Pictures in a zip archive, in the hub's layout of image folders: a folder a label, or a metadata file that names each picture.

The archive is never unpacked to the disk. Its names are labels, and are held to what a path inside a folder may be all the same.
"""

import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

from services.chassis.errors import InvalidArgument
from services.chassis.pictures import ENDINGS, NoPicture, data_uri
from services.registry.ingest.csv_rows import CsvReader
from services.registry.ingest.jsonl import JsonlReader
from services.registry.ingest.row_file import write_all
from services.registry.ingest.rows import FIELD, Problems, Reader, Row, quoted

METADATA = ("metadata.jsonl", "metadata.csv")
MAX_METADATA_BYTES = 64 * 1024 * 1024
# Of the list of names, which is read as a whole.
MAX_DIRECTORY_BYTES = 32 * 1024 * 1024
# Pictures are compressed already. What promises more than this is made to fill the disk.
MAX_EXPANSION = 20
EXPANSION_FLOOR_BYTES = 64 * 1024 * 1024
# What base64 and the rest of a row add to a picture.
_ROW_SHARE, _ROW_ROOM = 0.75, 4096
_CHUNK_BYTES = 64 * 1024
# Left behind by file managers.
_LITTER = ("__MACOSX", "Thumbs.db", "desktop.ini")
_SPLITS = {"train", "training", "test", "testing", "valid", "validation", "val", "dev"}
_FILE_NAME, _CAPTION, _TEXT = "file_name", "caption", "text"
_END, _END_BYTES, _MAX_COMMENT = b"PK\x05\x06", 22, 65_535
_ZIP64_LOCATOR, _ZIP64_LOCATOR_BYTES = b"PK\x06\x07", 20
_ENCRYPTED = 0x1


class PictureArchiveReader:
    """Rows of an archive: each picture as a data URI, with its label or caption and its name."""

    def __init__(self, problems: Problems, spool: Path, max_row_bytes: int) -> None:
        problems.unit = "file"
        self._problems = problems
        self._spool = spool
        self._max_row_bytes = max_row_bytes
        self._max_picture_bytes = max(0, int(_ROW_SHARE * max_row_bytes) - _ROW_ROOM)

    def feed(self, piece: bytes) -> Iterator[Row]:
        """Keep the piece; the list of names is at the end."""
        with self._spool.open("ab", buffering=0) as file:
            write_all(file.fileno(), piece)
        return iter(())

    def finish(self) -> Iterator[Row]:
        try:
            with self._spool.open("rb") as file:
                _check_directory(file, self._spool.stat().st_size)
                try:
                    with zipfile.ZipFile(file) as archive:
                        yield from self._rows(archive)
                except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, UnicodeDecodeError) as error:
                    raise _refused(f"the archive can't be read ({error}); make it again") from error
        finally:
            self._spool.unlink(missing_ok=True)

    def _rows(self, archive: zipfile.ZipFile) -> Iterator[Row]:
        files = _files(archive)
        _check_expansion(files, self._spool.stat().st_size)
        metadata = [file for file in files if PurePosixPath(file.filename).name in METADATA]
        pictures = [file for file in files if file not in metadata]
        for number, file in enumerate(pictures, start=1):
            if not file.filename.lower().endswith(ENDINGS):
                text = f"{quoted(file.filename)} is no picture ({', '.join(ENDINGS)}); leave it out, or upload rows as they are"
                self._problems.add(number, text)
        if not pictures:
            raise _refused("the archive holds no pictures; unpack it and upload the rows inside")
        self._problems.refuse()
        if len(metadata) > 1:
            names = ", ".join(quoted(file.filename) for file in metadata[:3])
            raise _refused(f"the archive has several lists of its pictures ({names}); upload each split as a dataset of its own")
        yield from self._listed(archive, metadata[0], pictures) if metadata else self._in_folders(archive, pictures)

    def _in_folders(self, archive: zipfile.ZipFile, pictures: Sequence[zipfile.ZipInfo]) -> Iterator[Row]:
        """A folder's name is the label of what lies in it."""
        _check_folders(pictures)
        for number, file in enumerate(sorted(pictures, key=lambda file: file.filename), start=1):
            image = self._image(archive, file, number)
            if image is not None:
                yield Row(number, {"image": image, "label": _folders(file)[-1], _FILE_NAME: file.filename}, None)

    def _listed(self, archive: zipfile.ZipFile, metadata: zipfile.ZipInfo, pictures: Sequence[zipfile.ZipInfo]) -> Iterator[Row]:
        """What a metadata file says of each picture, in its order."""
        below = PurePosixPath(metadata.filename).parent
        waiting = {file.filename: file for file in pictures}
        for number, row in enumerate(self._metadata(archive, metadata), start=1):
            named = row.get(_FILE_NAME)
            name = str(below / named) if isinstance(named, str) else ""
            file = waiting.pop(name, None)
            if file is None:
                known = name in archive.NameToInfo
                why = "is named twice" if known else "is not in the archive"
                given = quoted(named) if isinstance(named, str) else "a row without file_name"
                self._problems.add(number, f"{given} of {quoted(metadata.filename)} {why}; correct that line")
                continue
            image = self._image(archive, file, number)
            if image is not None:
                yield Row(number, {"image": image, **_said(row), _FILE_NAME: named}, None)
        for number, name in enumerate(waiting, start=1):
            self._problems.add(number, f"{quoted(name)} is not named in {quoted(metadata.filename)}; name it or leave it out")

    def _metadata(self, archive: zipfile.ZipFile, file: zipfile.ZipInfo) -> Iterator[dict[str, Any]]:
        data = _content(archive, file, MAX_METADATA_BYTES)
        if data is None:
            raise _refused(f"{quoted(file.filename)} has more than {MAX_METADATA_BYTES} bytes; split the dataset")
        # Lines are lines of this file, whatever else is counted.
        problems = Problems()
        is_csv = file.filename.endswith(".csv")
        reader: Reader = (CsvReader if is_csv else JsonlReader)(problems, self._max_row_bytes)
        yield from (row.value for row in reader.feed(data))
        yield from (row.value for row in reader.finish())
        problems.refuse()

    def _image(self, archive: zipfile.ZipFile, file: zipfile.ZipInfo, number: int) -> str | None:
        """A picture as it stands in a row; None where it is none, which is noted."""
        data = _content(archive, file, self._max_picture_bytes)
        if data is None:
            text = f"{quoted(file.filename)} has more than {self._max_picture_bytes} bytes; make it smaller"
            self._problems.add(number, f"{text}, or raise TUNESMITH_MAX_ROW_BYTES")
            return None
        try:
            return data_uri(data)
        except NoPicture as error:
            self._problems.add(number, f"{quoted(file.filename)} {error}")
            return None


def _check_directory(file: IO[bytes], size: int) -> None:
    """Raise InvalidArgument for a list of names that is too large to be read, or that a second one might replace."""
    tail_bytes = min(size, _END_BYTES + _MAX_COMMENT + _ZIP64_LOCATOR_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read()
    file.seek(0)
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise _refused("the archive is cut off; upload it whole")
    (directory_bytes,) = struct.unpack_from("<I", tail, place + 12)
    if tail[max(0, place - _ZIP64_LOCATOR_BYTES) : place].startswith(_ZIP64_LOCATOR):
        raise _refused("the archive has more than 65,535 files or 4 GB; split it into several datasets")
    if directory_bytes > MAX_DIRECTORY_BYTES:
        raise _refused(f"the archive's list of names has more than {MAX_DIRECTORY_BYTES} bytes; split it into several datasets")


def _files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """What lies in it, without folders and litter. Raises InvalidArgument for what no archive of pictures has."""
    files = [file for file in archive.infolist() if not file.is_dir()]
    for file in files:
        _check_file(file)
    files = [file for file in files if not _is_litter(PurePosixPath(file.filename))]
    repeated = next((name for name, count in Counter(file.filename for file in files).items() if count > 1), None)
    if repeated is not None:
        raise _refused(f"the archive has {quoted(repeated)} twice; make it again")
    return files


def _check_file(file: zipfile.ZipInfo) -> None:
    name, parts = file.filename, file.filename.split("/")
    if "\\" in file.orig_filename or not all(part.strip(".") for part in parts) or not name.isprintable():
        raise _refused(f"the archive names {quoted(file.orig_filename)}, which is no path inside a folder; make it again")
    if stat.S_ISLNK(file.external_attr >> 16):
        raise _refused(f"{quoted(name)} is a link; put the picture itself into the archive")
    if file.flag_bits & _ENCRYPTED:
        raise _refused(f"{quoted(name)} is encrypted; make the archive without a password")
    if file.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(f"{quoted(name)} is compressed in an unusual way; make the archive with plain zip")


def _check_expansion(files: Sequence[zipfile.ZipInfo], archive_bytes: int) -> None:
    if sum(file.file_size for file in files) > max(EXPANSION_FLOOR_BYTES, MAX_EXPANSION * archive_bytes):
        raise _refused(f"the archive unpacks to more than {MAX_EXPANSION} times its size, which no pictures do; make it again")


def _check_folders(pictures: Sequence[zipfile.ZipInfo]) -> None:
    """Raise InvalidArgument where folders don't say what is what."""
    depths = {len(_folders(file)) for file in pictures}
    bare = next((file.filename for file in pictures if not _folders(file)), None)
    if bare is not None:
        text = f"{quoted(bare)} lies in no folder; put each picture into one that is named as its label"
        raise _refused(f"{text}, or add a metadata.jsonl with file_name and label or caption")
    if len(depths) > 1:
        raise _refused("some pictures lie in folders of folders and some don't; put all into one folder a label")
    splits = {_folders(file)[0] for file in pictures} if min(depths) > 1 else set()
    if len(splits) > 1:
        what = "train, test and the like are splits" if {name.lower() for name in splits} <= _SPLITS else "there are two levels"
        raise _refused(f"{what} ({', '.join(sorted(splits)[:3])}); upload each of them as a dataset of its own")


def _folders(file: zipfile.ZipInfo) -> tuple[str, ...]:
    return PurePosixPath(file.filename).parts[:-1]


def _is_litter(path: PurePosixPath) -> bool:
    return any(part in _LITTER or part.startswith(".") for part in path.parts)


def _said(row: dict[str, Any]) -> dict[str, Any]:
    """A metadata row without its file's name; the hub calls captions text too."""
    said = {name: value for name, value in row.items() if name not in (_FILE_NAME, "image")}
    if _TEXT in said and _CAPTION not in said and "label" not in said:
        said = {_CAPTION: said.pop(_TEXT), **said}
    return said


def _content(archive: zipfile.ZipFile, file: zipfile.ZipInfo, limit_bytes: int) -> bytes | None:
    """A file's bytes; None if there are more than the limit, whatever it says of itself."""
    data = bytearray()
    with archive.open(file) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            data += chunk
            if len(data) > limit_bytes:
                return None
    return bytes(data)


def _refused(text: str) -> InvalidArgument:
    return InvalidArgument([(FIELD, text)])
