"""Files are known by how they begin, whatever they are named."""

import gzip
import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from services.chassis.errors import InvalidArgument
from services.registry.ingest.sniff import FileKind, kind_of


def archive(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, b"content")
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


ROWS = [{"text": "a"}]
LINE = json.dumps(ROWS[0]).encode()

REFUSED = {
    "pickle": (pickle.dumps(ROWS), "a pickle is never loaded"),
    "pickle of protocol 2": (pickle.dumps(ROWS, 2), "a pickle is never loaded"),
    "pickle of protocol 1": (pickle.dumps(ROWS, 1), "a pickle is never loaded"),
    "pickle of protocol 0": (pickle.dumps(ROWS, 0), "a pickle is never loaded"),
    "pickle that runs a command": (b"cos\nsystem\n(S'true'\ntR.", "a pickle is never loaded"),
    "torch": (archive("archive/data.pkl"), "a torch file, which holds a pickle"),
    "zip": (archive("rows.jsonl"), "zip archive; name it .zip if it holds pictures, or unpack it"),
    "gzip": (gzip.compress(LINE), "gunzip"),
    "bzip2": (b"BZh91AY&SY", "bunzip2"),
    "xz": (b"\xfd7zXZ\x00\x00", "unxz"),
    "zstd": (b"\x28\xb5\x2f\xfd\x00", "unzstd"),
    "HDF5": (b"\x89HDF\r\n\x1a\n\x00", "HDF5 file; write the rows to .jsonl"),
    "NumPy": (array(), "NumPy array; write the rows to .jsonl"),
    "Arrow": (b"ARROW1\x00\x00", "Arrow file; write the rows to .jsonl"),
    "UTF-16 with a mark": (LINE.decode().encode("utf-16"), "save it as UTF-8"),
    "UTF-16 without one": (LINE.decode().encode("utf-16-le"), "binary file"),
    "safetensors": (b"\x02\x00\x00\x00\x00\x00\x00\x00{}", "binary file"),
    "nothing": (b"", "the file is empty"),
}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.pkl"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_rows_are_never_read_from_is_refused_by_content(case: str, name: str) -> None:
    head, expected = REFUSED[case]
    with pytest.raises(InvalidArgument) as refused:
        kind_of(name, head)
    assert refused.value.violations[0][0] == "data"
    assert expected in refused.value.message


ACCEPTED = {
    "rows.jsonl": (LINE, FileKind.JSONL),
    "rows.ndjson": (LINE, FileKind.JSONL),
    "ROWS.JSONL": (b"\xef\xbb\xbf" + LINE, FileKind.JSONL),
    "rows.json": (b" \n[]", FileKind.JSON),
    "rows.csv": (b"text\na\n", FileKind.CSV),
    "rows.parquet": (b"PAR1\x00\x00", FileKind.PARQUET),
    "pictures.zip": (archive("a/1.png"), FileKind.ZIP),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_name_and_content_agree(name: str) -> None:
    head, kind = ACCEPTED[name]
    assert kind_of(name, head) is kind


DISAGREEING = {
    "a list named .jsonl": ("rows.jsonl", b"[{}]", "named .jsonl but holds a JSON list; name it .json"),
    "lines named .json": ("rows.json", LINE, "Name it .jsonl if every line is an object"),
    "lines named .csv": ("rows.csv", LINE, "name it .jsonl"),
    "Parquet named .jsonl": ("rows.jsonl", b"PAR1\x00", "name it .parquet"),
    "text named .parquet": ("rows.parquet", b"text\na\n", "does not begin with PAR1"),
    "no ending": ("rows", LINE, "must end in one of .jsonl, .ndjson, .json, .csv, .parquet"),
    "another ending": ("rows.txt", LINE, "must end in one of"),
}


@pytest.mark.parametrize("case", DISAGREEING)
def test_a_name_that_says_something_else_than_the_content_is_refused(case: str) -> None:
    name, head, expected = DISAGREEING[case]
    with pytest.raises(InvalidArgument) as refused:
        kind_of(name, head)
    assert refused.value.violations[0][0] == "filename"
    assert expected in refused.value.message
