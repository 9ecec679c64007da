"""CSV: a header, quoted values with anything inside, empty values as null."""

import json

import pytest
from tunesmith.registry.v1 import dataset_pb2

from services.registry.ingest.intake import Limits
from tests.unit.services.registry.ingest.reading import MIB, problems, read


def rows_of(data: bytes, **options: object) -> list[dict]:
    return [json.loads(line) for line in read(data, "rows.csv", **options)[1].splitlines()]  # type: ignore[arg-type]


def test_records_become_rows() -> None:
    data = b'\xef\xbb\xbfprompt,completion,note\r\n"a, b","say ""hi""\nthere",\r\n\r\nc,d,5" pipe\r\n'
    assert rows_of(data) == [
        {"prompt": "a, b", "completion": 'say "hi"\nthere', "note": None},
        {"prompt": "c", "completion": "d", "note": '5" pipe'},
    ]


@pytest.mark.parametrize("piece_bytes", [1, 3, 10, 8193])
def test_how_the_file_was_cut_changes_nothing(piece_bytes: int) -> None:
    data = b"text\n" + b"".join(f'"ä{index}\n\n""{index}"""\n'.encode() for index in range(200))
    assert rows_of(data, piece_bytes=piece_bytes) == rows_of(data)
    assert rows_of(data)[199]["text"] == 'ä199\n\n"199"'


def test_numbers_of_interactions_are_numbers() -> None:
    dataset, stored = read(b"user_id,item_id,rating,timestamp\n1,2,3.5,881250949\n1,3,,\n1,4,-1e-2,\n", "rows.csv")
    assert dataset.format == dataset_pb2.DATASET_FORMAT_INTERACTIONS
    assert stored.splitlines() == [
        b'{"user_id":"1","item_id":"2","rating":3.5,"timestamp":881250949}',
        b'{"user_id":"1","item_id":"3","rating":null,"timestamp":null}',
        b'{"user_id":"1","item_id":"4","rating":-0.01,"timestamp":null}',
    ]


BAD = {
    "too few values": (b"a\n", "has 1 values, and the header names 2"),
    "too many values": (b"a,b,c\n", "has 3 values, and the header names 2"),
    "a required value that is empty": (b"a,\n", "has no completion"),
    "text after a quoted value": (b'"a"b,c\n', "is not valid CSV"),
    "a quote that is never closed": (b'"a,b\n', "a quote is opened and never closed"),
    "bytes that are no UTF-8": (b"\xff,b\n", "is not UTF-8"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_named_by_its_first_line(case: str) -> None:
    record, expected = BAD[case]
    # Ten records on fifteen lines, and the header.
    data = b"prompt,completion\n" + b'a,"b\nb"\nc,d\n' * 5 + record + b"e,f\n"
    (text,) = problems(data, "rows.csv")
    assert text.startswith("line 17: ") and expected in text


HEADERS = {
    "no name": (b"prompt,\na,b\n", "has no name"),
    "a name twice": (b"text,text\na,b\n", "has 'text' twice"),
    "semicolons": (b"prompt;completion\na;b\n", "separate values with commas"),
    "columns of no format": (b"a,b\n1,2\n", "which fit no format"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_bad_header_is_refused(case: str) -> None:
    data, expected = HEADERS[case]
    (text,) = problems(data, "rows.csv")
    assert expected in text


def test_a_header_alone_holds_no_rows() -> None:
    assert problems(b"text\n", "rows.csv") == ["the file holds no rows; upload at least one"]


@pytest.mark.parametrize("rating", ["good", "nan", "inf", "1_000", "1e999", "9" * 5000, "0x10", " 1"])
def test_a_rating_that_is_no_number_is_named(rating: str) -> None:
    (text,) = problems(f"user_id,item_id,rating\n1,2,{rating}\n".encode(), "rows.csv")
    assert text == "line 2: rating must be a number or null, and is text; correct it or leave it out"


def test_a_quote_that_swallows_the_file_stops_at_the_row_limit() -> None:
    limits = Limits(dataset_bytes=64 * MIB, row_bytes=10_000)
    (text,) = problems(b'text\n"' + b"a\n" * MIB, "rows.csv", limits=limits, piece_bytes=8192)
    assert text.startswith("line 2: is longer than 10000 bytes") and "perhaps a quote is never closed" in text


def test_a_long_value_is_read() -> None:
    assert len(rows_of(b'text\n"' + b"x" * 500_000 + b'"\n')[0]["text"]) == 500_000


@pytest.mark.parametrize("piece_bytes", [1000, MIB])
def test_a_value_of_thousands_of_lines_is_one_value(piece_bytes: int) -> None:
    value = "".join(f"line {index}, and more\n" for index in range(5000))
    data = f'text,n\na,1\n"{value}",2\nb,3\n'.encode()
    dataset, stored = read(data, "rows.csv", piece_bytes=piece_bytes)
    rows = [json.loads(line) for line in stored.splitlines()]
    assert dataset.row_count == 3 and rows[1] == {"text": value, "n": "2"} and rows[2] == {"text": "b", "n": "3"}
    (problem,) = problems(data + b"c\n", "rows.csv", piece_bytes=piece_bytes)
    assert problem.startswith("line 5005: has 1 values")
