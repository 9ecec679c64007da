"""What kind of file an upload is, by its name and by how it begins; the two must agree."""

import enum
import re
from collections.abc import Sequence

from services.chassis.errors import InvalidArgument

# Enough to see a magic number, a torch archive's first entry, and the NUL bytes of anything binary.
HEAD_BYTES = 8192
UTF8_BOM = b"\xef\xbb\xbf"


class FileKind(enum.Enum):
    """A kind of file that rows are read from, with the endings of its names."""

    JSONL = (".jsonl", ".ndjson")
    JSON = (".json",)
    CSV = (".csv",)
    PARQUET = (".parquet",)
    # Pictures, each with its label or caption.
    ZIP = (".zip",)


_UPLOAD_ROWS = "write the rows to .jsonl, .json, .csv or .parquet and upload that"
_PICKLE = "this is a pickle, and a pickle is never loaded, because loading one runs the code inside it; " + _UPLOAD_ROWS
_UTF16 = 'this is UTF-16 or UTF-32 text; save it as UTF-8 (in Python: open(path, "w", encoding="utf-8")) and upload it again'

# Protocols 0 and 1 begin with plain text: a global (`cmodule\nname\n`), or a mark and a list or a dict with a memo.
_OLD_PICKLE = re.compile(rb"\A(c[\w.]+\n[\w.]+\n|\(?[ld\]}](p\d+\n|q))")

# Never unpacked here, however little they say they hold.
_PACKED = {
    ".gz": "gunzip",
    ".tgz": "tar -x",
    ".tar": "tar -x",
    ".bz2": "bunzip2",
    ".xz": "unxz",
    ".zst": "unzstd",
    ".7z": "7z x",
}

_ZIP = b"PK\x03\x04"
_MAGIC: Sequence[tuple[bytes, str]] = (
    (_ZIP, "this is a zip archive; name it .zip if it holds pictures, or unpack it and upload the file inside"),
    (b"PK\x05\x06", "this is an empty zip archive; upload the file itself"),
    (b"\x1f\x8b", "this file is compressed with gzip; unpack it (gunzip) and upload the result"),
    (b"BZh", "this file is compressed with bzip2; unpack it (bunzip2) and upload the result"),
    (b"\xfd7zXZ\x00", "this file is compressed with xz; unpack it (unxz) and upload the result"),
    (b"\x28\xb5\x2f\xfd", "this file is compressed with zstd; unpack it (unzstd) and upload the result"),
    (b"\x89HDF\r\n\x1a\n", f"this is an HDF5 file; {_UPLOAD_ROWS}"),
    (b"\x93NUMPY", f"this is a NumPy array; {_UPLOAD_ROWS}"),
    (b"ARROW1", f"this is an Arrow file; {_UPLOAD_ROWS}"),
    (b"\xff\xfe", _UTF16),
    (b"\xfe\xff", _UTF16),
)


def kind_of(filename: str, head: bytes) -> FileKind:
    """The kind of a file from its name and its first bytes.

    Raises InvalidArgument if the content is none that rows are read from, or the name says something else than the content.
    """
    refusal = _refusal(head, may_be_zip=filename.lower().endswith(FileKind.ZIP.value))
    if refusal:
        raise InvalidArgument([("data", refusal)])
    named = _by_name(filename)
    seen = _by_content(head)
    if seen is not None and seen is not named:
        raise InvalidArgument([("filename", _disagreement(named, seen))])
    if named is FileKind.ZIP and seen is None:
        raise InvalidArgument([("filename", "the file is named .zip but is no zip archive; name it for what it is")])
    if named is FileKind.PARQUET and seen is None:
        raise InvalidArgument([("filename", "the file is named .parquet but does not begin with PAR1; name it for what it is")])
    return named


def without_bom(head: bytes) -> bytes:
    """The text after a UTF-8 byte order mark, which Excel writes and JSON does not allow."""
    return head.removeprefix(UTF8_BOM)


def _refusal(head: bytes, *, may_be_zip: bool) -> str | None:
    if not head:
        return "the file is empty; upload at least one row"
    if head.startswith(b"PAR1"):
        return None
    if re.match(rb"\A\x80[\x02-\x05]", head) or _OLD_PICKLE.match(head):
        return _PICKLE
    if head.startswith(b"PK") and b"data.pkl" in head:
        return f"this is a torch file, which holds a pickle, and a pickle is never loaded; {_UPLOAD_ROWS}"
    if may_be_zip and head.startswith(_ZIP):
        return None
    for magic, text in _MAGIC:
        if head.startswith(magic):
            return text
    if b"\x00" in head:
        return f"this is a binary file, not text and not Parquet; {_UPLOAD_ROWS}"
    return None


def _by_name(filename: str) -> FileKind:
    for kind in FileKind:
        if filename.lower().endswith(kind.value):
            return kind
    unpack = next((program for ending, program in _PACKED.items() if filename.lower().endswith(ending)), None)
    if unpack is not None:
        raise InvalidArgument([("filename", f"names a compressed file; unpack it ({unpack}) and upload the result")])
    endings = ", ".join(ending for kind in FileKind for ending in kind.value)
    raise InvalidArgument([("filename", f"must end in one of {endings}, which says how to read the file")])


def _by_content(head: bytes) -> FileKind | None:
    """What the first bytes prove; None for text that could be anything."""
    if head.startswith(b"PAR1"):
        return FileKind.PARQUET
    if head.startswith(_ZIP):
        return FileKind.ZIP
    text = without_bom(head).lstrip()
    if text.startswith(b"["):
        return FileKind.JSON
    if text.startswith(b"{"):
        return FileKind.JSONL
    return None


def _disagreement(named: FileKind, seen: FileKind) -> str:
    if named is FileKind.JSON and seen is FileKind.JSONL:
        return (
            "the file is named .json but begins with an object; a .json file holds one list of rows, [{…}, …]. "
            "Name it .jsonl if every line is an object, or put the rows into a list"
        )
    contents = {FileKind.JSON: "a JSON list", FileKind.JSONL: "JSON objects, one a line", FileKind.PARQUET: "Parquet"}
    contents[FileKind.ZIP] = "a zip archive"
    return f"the file is named {named.value[0]} but holds {contents[seen]}; name it {seen.value[0]}"
