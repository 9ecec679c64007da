"""Archives that are what they should be, in whatever way they were cut, and those that are not."""

import gzip
import io
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from services.registry.adapters.archive import Archive
from services.registry.adapters.files import MAX_WEIGHTS_BYTES
from services.registry.importing.refused import Refused
from tests.unit.services.registry.adapters.files import CONFIG, WEIGHTS, archive, entry, lora, packed

CONTENT = {CONFIG: b"{}", WEIGHTS: bytes(range(256)) * 5, "README.md": b"# read me"}
MIB = 1024 * 1024


def unpack(folder: Path, body: bytes, cut: int = 700) -> Archive:
    archive = Archive(folder)
    try:
        for start in range(0, len(body), cut):
            archive.feed(body[start : start + cut])
        archive.finish()
    finally:
        archive.close()
    return archive


def there(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("cut", [1, 511, 512, 513, 100_000])
@pytest.mark.parametrize("prefix", ["", "./", "adapter/"])
def test_files_come_out_however_the_archive_is_cut(tmp_path: Path, cut: int, prefix: str) -> None:
    taken = unpack(tmp_path, packed(CONTENT, prefix), cut)
    assert there(tmp_path) == CONTENT
    assert {file.path: file.size_bytes for file in taken.files} == {name: len(body) for name, body in CONTENT.items()}


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_of_tar_is_read(tmp_path: Path, format: int) -> None:
    long = f"{'folder' * 30}/" if format != tarfile.USTAR_FORMAT else "a/"
    # A time with a fraction makes an extended header, as does a long name.
    entries = [entry(f"{long}{name}", body, mtime=1.5) for name, body in CONTENT.items()]
    unpack(tmp_path, archive(entry(long, type=tarfile.DIRTYPE), *entries, format=format))
    assert there(tmp_path) == CONTENT


def test_what_is_not_named_passes_by(tmp_path: Path) -> None:
    unpack(
        tmp_path, packed({**CONTENT, "tokenizer.json": b"{}", "run.py": b"import os", "deep/er/adapter_config.json": b"no"}, "")
    )
    assert there(tmp_path) == CONTENT


WHOLE = [entry(name, body) for name, body in CONTENT.items()]
SPARSE = {"pax_headers": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": WEIGHTS}}
BAD = {
    "a name that leads up": ([entry("../adapter_config.json", b"{}")], "'../adapter_config.json' leads out"),
    "a name that leads up later": ([entry("a/../../adapter_config.json", b"{}")], "leads out"),
    "an absolute path": ([entry("/etc/adapter_config.json", b"{}")], "'/etc/adapter_config.json' leads out"),
    "a path of Windows": ([entry("C:/adapter_config.json", b"{}")], "leads out"),
    "a backslash": ([entry("..\\adapter_config.json", b"{}")], "leads out"),
    "a symbolic link": ([entry(CONFIG, type=tarfile.SYMTYPE, linkname="/etc/passwd")], f"'{CONFIG}' is a link"),
    "a hard link": ([entry(WEIGHTS, type=tarfile.LNKTYPE, linkname=CONFIG)], "is a link"),
    "a pipe": ([entry(WEIGHTS, type=tarfile.FIFOTYPE)], "no plain file"),
    "a device": ([entry(WEIGHTS, type=tarfile.CHRTYPE)], "no plain file"),
    "a sparse file": ([entry(WEIGHTS, type=tarfile.GNUTYPE_SPARSE)], "no plain file (sparse"),
    "a sparse file in records": ([entry(WEIGHTS, b"1\n0\n", **SPARSE)], "sparse entry"),
    "a pickle": ([*WHOLE, entry("adapter/adapter_model.bin", b"\x80")], "adapter/adapter_model.bin is a pickle"),
    "another pickle": ([*WHOLE, entry("optimizer.pt", b"PK")], "optimizer.pt is a pickle"),
    "a file twice": ([*WHOLE, entry(f"other/{CONFIG}", b"{}")], "is there twice"),
    "no configuration": ([entry(WEIGHTS, b"x")], f"no {CONFIG}"),
    "no weights": ([entry(CONFIG, b"{}")], f"no {WEIGHTS}"),
    "a configuration that is huge": ([entry(CONFIG, b"x" * (MIB + 1))], f"'{CONFIG}' has {MIB + 1} bytes"),
    "thousands of entries": ([entry(f"{index}.txt") for index in range(1001)], "more than 1000 entries"),
}


def test_there_are_bad_archives() -> None:
    assert len(BAD) == 18


@pytest.mark.parametrize("case", BAD)
def test_an_archive_with_something_else_is_refused_by_the_entry_s_name(tmp_path: Path, case: str) -> None:
    entries, text = BAD[case]
    with pytest.raises(Refused) as refusal:
        unpack(tmp_path, archive(*entries))
    assert text in str(refusal.value)


def test_an_entry_that_claims_more_than_may_come_is_refused_before_it_comes(tmp_path: Path) -> None:
    info = tarfile.TarInfo(WEIGHTS)
    info.size = MAX_WEIGHTS_BYTES + 1
    for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with pytest.raises(Refused, match=f"{MAX_WEIGHTS_BYTES} are taken"):
            Archive(tmp_path).feed(info.tobuf(format))
    assert there(tmp_path) == {}


def test_much_that_is_not_taken_is_refused_before_it_comes(tmp_path: Path) -> None:
    half = tarfile.TarInfo("tokenizer.json")
    half.size = 300 * MIB
    taking = Archive(tmp_path)
    taking.feed(half.tobuf())
    for _ in range(300):
        taking.feed(bytes(MIB))
    with pytest.raises(Refused, match="are not taken"):
        taking.feed(half.tobuf())


def test_an_extended_header_of_a_gigabyte_is_refused_before_it_comes(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        info.type, info.size = kind, 1024 * MIB
        with pytest.raises(Refused, match="extended header"):
            Archive(tmp_path).feed(info.tobuf(tarfile.GNU_FORMAT))


@pytest.mark.parametrize("record", [b"99 path=a\n", b"path=a\n", b"0 a=b\n", b"12 size=-512\n", b"9999999 a=b\n"])
def test_broken_records_are_refused(tmp_path: Path, record: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, len(record)
    body = info.tobuf(tarfile.USTAR_FORMAT) + record + bytes(-len(record) % 512) + archive(*WHOLE)
    with pytest.raises(Refused, match="tar cf"):
        unpack(tmp_path, body)


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr(CONFIG, "{}" * 500)
    return target.getvalue()


NO_TAR = {
    "nothing": (b"", "no tar archive"),
    "a gzipped archive": (gzip.compress(packed(CONTENT) * 9), "gzip file"),
    "a zip": (zipped(), "zip file"),
    "a short zip": (b"PK\x03\x04", "zip file"),
    "JSON": (b"{}" * 400, "no tar archive"),
    "safetensors": (lora()[WEIGHTS], "no tar archive"),
    "half an archive": (packed(CONTENT)[:2000], "in the middle"),
    "noise behind an entry": (archive(WHOLE[0])[:1024] + b"x" * 512, "damaged"),
}


@pytest.mark.parametrize("case", NO_TAR)
def test_what_is_no_archive_is_told_with_the_fix(tmp_path: Path, case: str) -> None:
    body, text = NO_TAR[case]
    with pytest.raises(Refused, match=text):
        unpack(tmp_path, body)


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    def pieces() -> Iterable[bytes]:
        info = tarfile.TarInfo(WEIGHTS)
        info.size = 200 * MIB
        yield info.tobuf()
        piece = bytes(MIB)
        for _ in range(200):
            yield piece

    taking = Archive(tmp_path)
    tracemalloc.start()
    for piece in pieces():
        taking.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taking.files[0].size_bytes == 200 * MIB
    assert peak < 8 * MIB
