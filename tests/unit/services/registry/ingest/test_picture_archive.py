"""Archives of pictures: the two layouts, and everything that is not one of them."""

import io
import json
import stat
import struct
import zipfile

import pytest
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.errors import InvalidArgument
from services.registry.ingest import picture_archive
from services.registry.ingest.intake import Limits
from tests.unit.services.registry.ingest.pictures import archive, png, uri
from tests.unit.services.registry.ingest.reading import MIB, read, refusal

CAT, DOG, OWL = png(2, 2, 10), png(2, 2, 20), png(2, 2, 30)
LABELLED, CAPTIONED = dataset_pb2.DATASET_FORMAT_IMAGE_LABEL, dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION


def rows(data: bytes, piece_bytes: int = MIB) -> tuple[dataset_pb2.DatasetFormat, list[dict[str, object]]]:
    dataset, stored = read(data, "pictures.zip", piece_bytes=piece_bytes)
    return dataset.format, [json.loads(line) for line in stored.splitlines()]


def said(data: bytes, name: str = "pictures.zip", **options: object) -> str:
    error = refusal(data, name, **options)
    assert isinstance(error, InvalidArgument), error
    return " | ".join(text for _, text in error.violations)


@pytest.mark.parametrize("piece_bytes", [97, MIB])
@pytest.mark.parametrize("above", ["", "animals/", "a/b/"])
def test_a_folder_is_a_label(above: str, piece_bytes: int) -> None:
    files: dict[str, bytes | str] = {
        f"{above}dog/2.png": DOG,
        f"{above}cat/1.PNG": CAT,
        "__MACOSX/cat/._1.png": b"",
        f"{above}cat/.DS_Store": b"x",
    }
    assert rows(archive(files), piece_bytes) == (
        LABELLED,
        [
            {"image": uri(CAT), "label": "cat", "file_name": f"{above}cat/1.PNG"},
            {"image": uri(DOG), "label": "dog", "file_name": f"{above}dog/2.png"},
        ],
    )


def test_a_metadata_file_of_lines_gives_labels_or_captions() -> None:
    lines = '{"file_name": "b.png", "label": 3, "by": "me"}\n{"file_name": "in/a.png", "label": 4}\n'
    assert rows(archive({"x/b.png": CAT, "x/in/a.png": DOG, "x/metadata.jsonl": lines})) == (
        LABELLED,
        [
            {"image": uri(CAT), "label": 3, "by": "me", "file_name": "b.png"},
            {"image": uri(DOG), "label": 4, "file_name": "in/a.png"},
        ],
    )


@pytest.mark.parametrize("column", ["caption", "text"])
def test_a_metadata_file_of_values_gives_captions(column: str) -> None:
    files: dict[str, bytes | str] = {"a.png": CAT, "metadata.csv": f'file_name,{column}\na.png,"a cat, asleep"\n'}
    assert rows(archive(files)) == (CAPTIONED, [{"image": uri(CAT), "caption": "a cat, asleep", "file_name": "a.png"}])


def _with(name: str, content: bytes = CAT, **changes: int) -> bytes:
    """An archive of one file whose entry says something odd."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        info = zipfile.ZipInfo(name)
        for field, value in changes.items():
            setattr(info, field, value)
        file.writestr(info, content)
    return packed.getvalue()


def _encrypted() -> bytes:
    data = bytearray(archive({"cat/a.png": CAT}, zipfile.ZIP_STORED))
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def _repeated() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file, pytest.warns(UserWarning):
        file.writestr("cat/a.png", CAT)
        file.writestr("cat/a.png", DOG)
    return packed.getvalue()


def _listing(rows: str, files: dict[str, bytes | str] | None = None) -> bytes:
    return archive({"a.png": CAT, **(files or {}), "metadata.jsonl": rows})


ONE = '{"file_name": "a.png", "label": "cat"}\n'
HOSTILE: dict[str, tuple[bytes, str]] = {
    "a way out": (_with("../cat/a.png"), "is no path inside a folder"),
    "an absolute name": (_with("/cat/a.png"), "is no path inside a folder"),
    "a name with backslashes": (_with("cat\\a.png"), "is no path inside a folder"),
    "a name that breaks lines": (_with("cat/a\n.png"), "is no path inside a folder"),
    "a link": (_with("cat/a.png", b"/etc/passwd", external_attr=(stat.S_IFLNK | 0o777) << 16), "is a link"),
    "a password": (_encrypted(), "is encrypted"),
    "an unusual compression": (archive({"cat/a.png": CAT}, zipfile.ZIP_LZMA), "compressed in an unusual way"),
    "a name twice": (_repeated(), "has 'cat/a.png' twice"),
    "no pictures": (archive({".hidden": b""}), "holds no pictures"),
    "a text": (archive({"cat/a.png": CAT, "cat/notes.txt": b"hi"}), "file 2: 'cat/notes.txt' is no picture"),
    "a text named as a picture": (archive({"cat/a.png": CAT, "dog/b.png": b"hi"}), "file 2: 'dog/b.png' is no PNG"),
    "a picture that is cut off": (archive({"cat/a.png": CAT[:-9]}), "file 1: 'cat/a.png' is cut off"),
    "a large picture": (archive({"cat/a.png": png(20_000, 1)}), "20000 × 1 pixels"),
    "a picture of many bytes": (archive({"cat/a.png": CAT + bytes(MIB)}), "has more than"),
    "pictures beside folders": (archive({"a.png": CAT, "dog/b.png": DOG}), "'a.png' lies in no folder"),
    "folders in folders": (archive({"cat/a.png": CAT, "dog/small/b.png": DOG}), "folders of folders"),
    "splits": (archive({"train/cat/a.png": CAT, "test/cat/b.png": DOG}), "train, test and the like are splits (test, train)"),
    "two levels": (archive({"x/cat/a.png": CAT, "y/cat/b.png": DOG}), "there are two levels"),
    "two lists": (archive({"a.png": CAT, "metadata.jsonl": ONE, "x/metadata.csv": "file_name\n"}), "several lists"),
    "a list of others": (
        _listing('{"file_name": "../b.png", "label": "cat"}\n'),
        "'../b.png' of 'metadata.jsonl' is not in the archive",
    ),
    "a list that repeats": (_listing(ONE * 2), "'a.png' of 'metadata.jsonl' is named twice"),
    "a list without names": (_listing('{"label": "cat"}\n'), "a row without file_name"),
    "a list with gaps": (_listing(ONE, {"b.png": DOG}), "'b.png' is not named in 'metadata.jsonl'"),
    "a list that is none": (_listing("{"), "line 1:"),
    "a list without labels": (_listing('{"file_name": "a.png", "kind": 1}\n'), "which fit no format"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_archive_of_pictures_is_refused_by_name(case: str) -> None:
    data, expected = HOSTILE[case]
    assert expected in said(data, limits=Limits(dataset_bytes=64 * MIB, row_bytes=MIB))


def test_cases_are_all_there() -> None:
    assert len(HOSTILE) == 25


def test_a_bomb_is_refused_before_it_goes_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_archive, "EXPANSION_FLOOR_BYTES", 1000)
    assert "unpacks to more than 20 times its size" in said(archive({"cat/a.png": bytes(MIB)}))


def test_a_bomb_that_lies_about_its_size_is_cut_short() -> None:
    data = bytearray(archive({"cat/a.png": CAT + bytes(4 * MIB)}))
    place = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, place + 24, 100)
    struct.pack_into("<I", data, 22, 100)
    # What lies behind the size that it names is not read, and then its checksum is wrong or it is cut off.
    assert said(bytes(data))


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_an_archive_that_is_cut_off_is_refused(cut: int) -> None:
    assert "cut off" in said(archive({"cat/a.png": CAT})[:-cut])


def test_an_archive_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_archive, "MAX_DIRECTORY_BYTES", 100)
    assert "list of names" in said(archive({f"cat/{number}.png": CAT for number in range(9)}))


def test_a_second_list_of_names_is_refused() -> None:
    data = archive({"cat/a.png": CAT})
    place = data.rindex(b"PK\x05\x06")
    assert "more than 65,535 files" in said(data[:place] + b"PK\x06\x07" + bytes(16) + data[place:])


def test_names_and_content_have_to_agree() -> None:
    assert "name it .zip" in said(archive({"cat/a.png": CAT}), "rows.jsonl")
    assert "is no zip archive" in said(b'"text"\n', "rows.zip")
    assert "holds JSON objects" in said(b'{"text": "a"}\n', "rows.zip")
