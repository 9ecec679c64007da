"""Files that are made to hurt, through the real service: each refused with its place, nothing stored, little memory taken.

A gigabyte in one line is too much for a unit test: `tests/integration/registry/test_hostile_sizes.py` sends one.
"""

import bz2
import gzip
import io
import lzma
import tempfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from google.api import httpbody_pb2
from pyarrow import parquet
from tunesmith.registry.v1 import registry_service_pb2 as messages
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

from services.chassis.settings import Settings
from services.registry.service import build
from tests.fakes.server import running
from tests.unit.services.registry.conftest import failure, violations_of

MIB = 1024 * 1024
ROW = b'{"text": "a"}\n'
# Beside what the process has already; the tests send what would unpack or be parsed to gigabytes.
MAX_GROWTH_BYTES = 300 * MIB


@dataclass
class Registry:
    """A registry with the limits it has by default."""

    stub: RegistryServiceStub
    home: Path

    async def refused(self, data: bytes, filename: str = "rows.jsonl", **fields: object) -> list[tuple[str, str]]:
        """What an upload is refused with; nothing of it is left."""

        async def stream() -> AsyncIterator[messages.UploadDatasetRequest]:
            request = messages.UploadDatasetRequest(filename=filename, **fields)
            for start in range(0, len(data) or 1, MIB):
                request.data.CopyFrom(httpbody_pb2.HttpBody(data=data[start : start + MIB]))
                yield request
                request = messages.UploadDatasetRequest()

        error = await failure(self.stub.UploadDataset(stream()))
        assert [path for path in (self.home / "datasets").rglob("*") if path.is_file()] == []
        listed = await self.stub.ListDatasets(messages.ListDatasetsRequest())
        assert list(listed.datasets) == []
        return violations_of(error)


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        settings = Settings(home=Path(folder) / "home", job_address=f"unix:{folder}/nobody")
        settings.home.mkdir()
        async with running(await build(settings), f"unix:{folder}/registry") as channel:
            yield Registry(RegistryServiceStub(channel), settings.home)


def _zip(body: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.jsonl", body)
    return buffer.getvalue()


def _zstd(body: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(body, asbytes=True))


PACKED = {
    "zip": (_zip, "unpack it"),
    "gzip": (gzip.compress, "compressed with gzip; unpack it"),
    "bzip2": (bz2.compress, "compressed with bzip2; unpack it"),
    "xz": (lzma.compress, "compressed with xz; unpack it"),
    "zstd": (_zstd, "compressed with zstd; unpack it"),
}


@pytest.mark.parametrize("name", PACKED)
async def test_a_compressed_bomb_is_refused_by_what_it_is_and_never_unpacked(registry: Registry, name: str) -> None:
    pack, expected = PACKED[name]
    bomb = pack(ROW * (8 * MIB // len(ROW)))
    assert len(bomb) < MIB / 8
    for filename in ("rows.jsonl", "rows.json", "rows.csv", "rows.parquet"):
        ((field, text),) = await registry.refused(bomb, filename)
        assert field == "data" and expected in text


@pytest.mark.parametrize("ending", [".gz", ".jsonl.gz", ".tgz", ".tar", ".csv.bz2", ".json.xz", ".JSONL.ZST", ".7z"])
async def test_the_name_of_a_compressed_file_is_refused_whatever_is_in_it(registry: Registry, ending: str) -> None:
    ((field, text),) = await registry.refused(ROW, f"rows{ending}")
    assert field == "filename" and text.startswith("names a compressed file; unpack it (")


NAMES = {
    "a parent folder": "../../etc/passwd",
    "nothing but folders": "../../",
    "a NUL": "a\x00.jsonl",
    "a line feed": "a\n.jsonl",
    "an escape sequence": "\x1b[2Ja.jsonl",
    "a delete": "a\x7f.jsonl",
    "no ending": "rows",
    "a name that is too long": "x" * 600 + ".jsonl",
}


@pytest.mark.parametrize("case", NAMES)
async def test_a_name_that_could_do_harm_is_refused(registry: Registry, case: str) -> None:
    ((field, text),) = await registry.refused(ROW, NAMES[case])
    assert field == "filename" and len(text) > 10


GOOD = {"jsonl": b'{"text": "a"}\n' * 16, "csv": b"text\n" + b"a\n" * 15, "json": b"[\n" + b'{"text": "a"},\n' * 15}
# What is wrong with the seventeenth line.
LINES = {
    "broken UTF-8": ("jsonl", b'{"text": "\xff\xfe"}', "is not UTF-8"),
    "an overlong encoding": ("jsonl", b'{"text": "\xc0\xaf"}', "is not UTF-8"),
    "a surrogate in UTF-8": ("jsonl", b'{"text": "\xed\xa0\x80"}', "is not UTF-8"),
    "NaN": ("jsonl", b'{"text": "a", "score": NaN}', "NaN or Infinity"),
    "Infinity": ("jsonl", b'{"text": "a", "score": Infinity}', "NaN or Infinity"),
    "a number that is infinite": ("jsonl", b'{"text": "a", "score": 1e999}', "is not valid JSON"),
    "a number of a million digits": ("jsonl", b'{"text": "a", "score": 1' + b"0" * MIB + b"}", "is not valid JSON"),
    "a list for a row": ("jsonl", b'["a"]', "holds a list, not an object"),
    "a text for a row": ("jsonl", b'"a"', "holds text, not an object"),
    "a number for a text": ("jsonl", b'{"text": 1}', "text must be text, and is a number"),
    "a list for a text": ("jsonl", b'{"text": ["a"]}', "text must be text, and is a list"),
    "a name twice": ("jsonl", b'{"text": "a", "text": "b"}', "has the name 'text' twice"),
    "a name twice, deep": ("jsonl", b'{"text": "a", "x": [{"y": {"z": 1, "z": 2}}]}', "has the name 'z' twice"),
    "deep nesting": ("jsonl", b'{"text": "a", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested deeper"),
    "nesting that never closes": ("jsonl", b'{"text": ' + b"[" * 500_000, "nested deeper"),
    "nesting of objects": ("jsonl", b'{"text": "a", "x": ' + b'{"x":' * 400 + b"1" + b"}" * 400 + b"}", "nested deeper"),
    "millions of empty lists": ("jsonl", b'{"text": "a", "x": [' + b"[]," * 4_000_000 + b"1]}", "more than 1000000 values"),
    "millions of objects": ("jsonl", b'{"text": "a", "x": [' + b'{"a":1},' * 1_900_000 + b"1]}", "more than 1000000 values"),
    "a line that is too long": ("jsonl", b'{"text": "' + b"x" * 17 * MIB + b'"}', "is longer than 16777216 bytes"),
    "rows of another format": ("jsonl", b'{"prompt": "a", "completion": "b"}', "has no text; rows of this dataset need text"),
    "a CSV line among them": ("jsonl", b"text\na", "is not valid JSON"),
    "a byte order mark": ("jsonl", b'\xef\xbb\xbf{"text": "a"}', "is not valid JSON"),
    "half a surrogate pair": ("jsonl", b'{"text": "\\ud800"}', "half of a surrogate pair"),
    "broken UTF-8 in CSV": ("csv", b"\xff", "is not UTF-8"),
    "too many values": ("csv", b"a,b", "has 2 values, and the header names 1"),
    "a quote that is never closed": ("csv", b'"a', "a quote is opened and never closed"),
    "a quoted value that is too long": ("csv", b'"' + b"x\n" * 9 * MIB, "is longer than 16777216 bytes; split the row"),
    "a line of CSV that is too long": ("csv", b"x" * 17 * MIB, "is longer than 16777216 bytes"),
    "NaN in a list": ("json", b'{"text": "a", "score": NaN}]', "has NaN, which JSON does not know"),
    "broken UTF-8 in a list": ("json", b'{"text": "\xff"}]', "is not UTF-8"),
    "a row that is none": ("json", b'"a"]', "is not an object"),
    "deep nesting in a list": ("json", b"[" * 100_000, "nested deeper"),
    "a name twice in a list": ("json", b'{"text": "a", "text": "b"}]', "has the name 'text' twice"),
    "a row that is too long": ("json", b'{"text": "' + b"x" * 17 * MIB + b'"}]', "is longer than 16777216 bytes"),
    "millions of numbers": ("json", b'{"text": "a", "x": [' + b"1," * 3_000_000 + b"1]}]", "more than 1000000 values"),
    "a list that is cut off": ("json", b'{"text": "a"', "is not valid JSON"),
}


@pytest.mark.parametrize("case", LINES)
async def test_a_line_that_could_do_harm_is_refused_with_its_number(registry: Registry, case: str) -> None:
    ending, line, expected = LINES[case]
    before = _peak_bytes()
    violations = await registry.refused(GOOD[ending] + line, f"rows.{ending}")
    assert violations[0][0] == "data" and violations[0][1].startswith("line 17: "), violations
    assert expected in violations[0][1] and len(violations[0][1]) < 400
    assert _peak_bytes() - before < MAX_GROWTH_BYTES


WHOLE = {
    "an empty file": (b"", "rows.jsonl", "the file is empty"),
    "nothing but a mark": (b"\xef\xbb\xbf", "rows.jsonl", "holds no rows"),
    "nothing but line feeds": (b"\n" * MIB, "rows.jsonl", "holds no rows"),
    "an empty list": (b"[]", "rows.json", "holds no rows"),
    "a header alone": (b"text\n", "rows.csv", "holds no rows"),
    "a NUL byte": (b'{"text": "a"}\n{"text": "a\x00b"}', "rows.jsonl", "binary file"),
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), "rows.jsonl", "UTF-16"),
    "UTF-32": ('{"text": "a"}'.encode("utf-32"), "rows.jsonl", "UTF-16 or UTF-32"),
    "a program": (b"\x7fELF" + bytes(100), "rows.jsonl", "binary file"),
    "Parquet without rows": (b"PAR1PAR1", "rows.parquet", "cannot be read"),
    "Parquet whose index lies": (b"PAR1" + b"x" * 100 + b"\xff\xff\xff\x7fPAR1", "rows.parquet", "cannot be read"),
}


@pytest.mark.parametrize("case", WHOLE)
async def test_a_file_without_rows_is_refused(registry: Registry, case: str) -> None:
    data, filename, expected = WHOLE[case]
    ((_, text),) = await registry.refused(data, filename)
    assert expected in text


async def test_a_display_name_that_could_do_harm_is_refused(registry: Registry) -> None:
    for name in ("a\x1b[31m", "a\r\nb", "\x00"):
        ((field, _),) = await registry.refused(ROW, display_name=name)
        assert field == "display_name"


def _parquet_bomb(size_mib: int, *, honest: bool) -> bytes:
    """A column in one page that unpacks to so much, which its index tells, or hides."""
    buffer = io.BytesIO()
    table = pa.table({"text": ["x" * MIB] * size_mib})
    parquet.write_table(table, buffer, compression="zstd", use_dictionary=False, data_page_size=2**30, write_batch_size=2**20)
    data = buffer.getvalue()
    if honest:
        return data
    index = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    told = parquet.ParquetFile(io.BytesIO(data)).metadata.row_group(0).total_byte_size
    number = _thrift(told)
    assert data[index:].count(number) == 2
    lie = data[:index] + data[index:].replace(number, _thrift(1000, len(number)))
    assert parquet.ParquetFile(io.BytesIO(lie)).metadata.row_group(0).total_byte_size == 1000
    return lie


def _thrift(number: int, width: int = 0) -> bytes:
    """A whole number as Parquet's index has it, in at least so many bytes."""
    rest, out = 2 * number, bytearray()
    while rest >= 128 or len(out) + 1 < width:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest])


async def test_a_parquet_bomb_that_says_so_is_refused_by_its_index(registry: Registry) -> None:
    bomb = _parquet_bomb(200, honest=True)
    assert len(bomb) < MIB
    ((field, text),) = await registry.refused(bomb, "rows.parquet")
    assert field == "data" and "unpacks to more than 200 times its size" in text


async def test_a_parquet_bomb_that_hides_it_ends_its_reader_and_nothing_else(registry: Registry) -> None:
    bomb = _parquet_bomb(200, honest=False)
    before = _peak_bytes()
    ((field, text),) = await registry.refused(bomb, "rows.parquet")
    assert field == "data" and text.startswith("row 1: its pages unpack to more than 320 MiB at once"), text
    assert _peak_bytes() - before < MAX_GROWTH_BYTES


async def test_the_service_goes_on_after_all_of_them(registry: Registry) -> None:
    await registry.refused(b"[" * MIB, "rows.json")
    dataset = await registry.stub.UploadDataset(_one(ROW))
    assert dataset.dataset.row_count == 1


async def _one(data: bytes) -> AsyncIterator[messages.UploadDatasetRequest]:
    yield messages.UploadDatasetRequest(filename="rows.jsonl", data=httpbody_pb2.HttpBody(data=data))


def _peak_bytes() -> int:
    """The most memory this process has held since it was last asked: asking begins anew."""
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    Path("/proc/self/clear_refs").write_text("5")
    return peak


def test_what_is_refused_is_what_the_issue_names() -> None:
    assert (len(PACKED), len(NAMES), len(LINES), len(WHOLE)) == (5, 8, 36, 11)
