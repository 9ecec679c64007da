"""JSONL: kept byte for byte, and each bad line named."""

import json
import pickle

import pytest
from tunesmith.registry.v1 import dataset_pb2

from services.registry.ingest.intake import Limits
from tests.unit.services.registry.ingest.reading import MIB, broken_at_17, jsonl, problems, read

BRACKETS = 100_000


def test_rows_are_stored_as_they_were_written() -> None:
    data = b'{"text":  "a", "n": 1.0}\n{"text": "\xc3\xa4 \\u00e4 \\n"}\n'
    dataset, stored = read(data)
    assert stored == data
    assert (dataset.row_count, dataset.size_bytes, dataset.sha256) == (2, len(data), dataset.source_sha256)


def test_byte_order_mark_blank_lines_carriage_returns_and_a_missing_last_line_feed_are_tolerated() -> None:
    dataset, stored = read(b'\xef\xbb\xbf{"text": "a"}\r\n\r\n  \n{"text": "b"}')
    assert stored == b'{"text": "a"}\n{"text": "b"}\n'
    assert dataset.row_count == 2 and dataset.sha256 != dataset.source_sha256


@pytest.mark.parametrize("piece_bytes", [1, 7, 8191, 8192, 8193])
def test_how_the_file_was_cut_changes_nothing(piece_bytes: int) -> None:
    data = jsonl([json.dumps({"text": "ä" * index, "n": index}) for index in range(200)])
    assert read(data, piece_bytes=piece_bytes) == read(data)


BAD = {
    "cut off": ('{"text": "a"', "is not valid JSON (unexpected end of data, column 13)"),
    "no JSON": ("hello", "is not valid JSON"),
    "two objects": ('{"text": "a"} {"text": "b"}', "is not valid JSON (unexpected content after document"),
    "single quotes": ("{'text': 'a'}", "single quotes"),
    "NaN": ('{"text": "a", "n": NaN}', "NaN or Infinity"),
    "Infinity": ('{"text": "a", "n": -Infinity}', "NaN or Infinity"),
    "a number without end": ('{"text": "a", "n": 1e999}', "is not valid JSON"),
    "a list": ('["a"]', "holds a list, not an object"),
    "null": ("null", "holds null, not an object"),
    "a name twice": ('{"text": "a", "text": "b"}', "has the name 'text' twice"),
    "a name twice inside": ('{"text": "a", "inner": [{"x": 1, "x": 2}]}', "has the name 'x' twice"),
    "a name twice in two spellings": ('{"text": "a", "te\\u0078t": "b"}', "has the name 'text' twice"),
    "a name twice beside escaped marks": ('{"a\\u0022": "\\u0022", "text": 1, "text": "a"}', "has the name 'text' twice"),
    "half a surrogate pair": ('{"text": "\\ud800"}', "half of a surrogate pair"),
    "brackets": ('{"text": ' + "[" * BRACKETS, "nested deeper"),
    "brackets that close": ('{"text": "a", "b": ' + "[" * 300 + "]" * 300 + "}", "nested deeper"),
    "a control character": ('{"text": "a\tb"}', "is not valid JSON"),
    "another format": ('{"prompt": "a", "completion": "b"}', "has no text"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_named(case: str) -> None:
    line, expected = BAD[case]
    (text,) = problems(broken_at_17(line))
    assert text.startswith("line 17: ") and expected in text


def test_text_that_looks_like_names_is_no_name_twice() -> None:
    rows = ['{"text": "\\"a\\": \\"a\\":"}', '{"text": "\\u0022a\\u0022: 1"}', '{"text": ":", "b\\\\": ":", "c": "\\\\u0022"}']
    assert read(jsonl(rows))[0].row_count == 3


def test_bytes_that_are_no_utf8_are_named() -> None:
    assert problems(b'{"text": "a"}\n{"text": "\xff"}\n') == ["line 2: is not UTF-8; save the file as UTF-8"]


def test_a_line_over_the_limit_is_named_and_the_rest_read_on() -> None:
    limits = Limits(dataset_bytes=MIB, row_bytes=1000)
    data = jsonl(['{"text": "a"}', '{"text": "%s"}' % ("x" * 5000), '{"text": 1}'])
    for piece_bytes in (100, MIB):
        first, second = problems(data, limits=limits, piece_bytes=piece_bytes)
        assert first == "line 2: is longer than 1000 bytes; split the row, or raise TUNESMITH_MAX_ROW_BYTES"
        assert second.startswith("line 3: text must be text")


def test_a_last_line_over_the_limit_is_named_too() -> None:
    limits = Limits(dataset_bytes=MIB, row_bytes=1000)
    (text,) = problems(b'{"text": "a"}\n{"text": "' + b"x" * 20_000, limits=limits, piece_bytes=100)
    assert text.startswith("line 2: is longer than 1000 bytes")


def test_the_first_twenty_problems_are_collected_in_order() -> None:
    texts = problems(jsonl(['{"text": "a"}'] + ["{"] * 30))
    assert [text.partition(":")[0] for text in texts] == [f"line {number}" for number in range(2, 22)]


def test_a_pickle_named_jsonl_is_refused() -> None:
    (text,) = problems(pickle.dumps([{"text": "a"}]))
    assert "a pickle is never loaded" in text


def test_columns_are_counted() -> None:
    rows = ['{"text": "a", "n": 1, "o": {}}', '{"text": "b", "n": null, "b": true}', '{"text": "c", "n": 2.5, "m": [], "b": 1}']
    columns = read(jsonl(rows))[0].columns
    assert [(column.name, dataset_pb2.ColumnType.Name(column.type), column.value_count) for column in columns] == [
        ("text", "COLUMN_TYPE_STRING", 3),
        ("n", "COLUMN_TYPE_NUMBER", 2),
        ("o", "COLUMN_TYPE_OBJECT", 1),
        ("b", "COLUMN_TYPE_MIXED", 2),
        ("m", "COLUMN_TYPE_LIST", 1),
    ]
