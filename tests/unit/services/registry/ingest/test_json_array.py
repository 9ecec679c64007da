"""JSON lists: element by element, with the lines of the file."""

import json
import time

import pytest

from services.registry.ingest.intake import Limits
from tests.unit.services.registry.ingest.reading import MIB, problems, read

GOOD = '{\n  "text": "a"\n}'


def pretty(*elements: str) -> bytes:
    """A list whose first element begins on line 2, and each good one takes three lines."""
    return ("[\n" + ",\n".join(elements) + "\n]\n").encode()


def test_each_element_becomes_one_line() -> None:
    dataset, stored = read(b' [ {"text" : "a\\u00e4",\n "n": [1, 2.5]} ,{"text":"b"}]\n ', "rows.json")
    assert stored == '{"text":"aä","n":[1,2.5]}\n{"text":"b"}\n'.encode()
    assert dataset.row_count == 2


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7, 8191, 8193])
def test_how_the_file_was_cut_changes_nothing(piece_bytes: int) -> None:
    rows = [{"text": "ä😀\n" * index, "n": [index, -1.5e-7, True, None]} for index in range(60)]
    data = json.dumps(rows, ensure_ascii=bool(piece_bytes % 2), indent=1).encode()
    assert read(data, "rows.json", piece_bytes=piece_bytes) == read(data, "rows.json")


BAD = {
    "a name twice": ('{"text": "a", "text": "b"}', "has the name 'text' twice"),
    "NaN": ('{"text": "a", "n": NaN}', "has NaN"),
    "Infinity": ('{"text": "a", "n": [-Infinity]}', "has -Infinity"),
    "a number without end": ('{"text": "a", "n": 1e999}', "too large for 64 bits"),
    "a whole number beyond 64 bits": ('{"text": "a", "n": 18446744073709551616}', "whole number beyond 64 bits"),
    "a whole number of 5000 digits": ('{"text": "a", "n": %s}' % ("1" * 5000), "whole number beyond 64 bits"),
    "half a surrogate pair": ('{"text": "\\ud800"}', "half of a surrogate pair"),
    "a number": ("7", "is not an object"),
    "a list": ('["a"]', "is not an object"),
    "nested": ('{"text": "a", "b": ' + "[" * 300 + "]" * 300 + "}", "nested deeper"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_refused_element_is_named_and_the_rest_read_on(case: str) -> None:
    element, expected = BAD[case]
    # Five good elements end on line 16; the second bad one follows three lines after the first.
    first, second = problems(pretty(*[GOOD] * 5, element, GOOD, element), "rows.json")
    assert first.startswith("line 17: ") and expected in first
    assert second.startswith("line 21: ") and expected in second


BROKEN = {
    "a comma missing": (pretty(*[GOOD] * 5)[:-3] + b"\n{}]", "line 17: is not valid JSON: a comma"),
    "cut off inside": (pretty(*[GOOD] * 5, '{"text": "a')[:-3], "line 17: is not valid JSON"),
    "cut off between": (pretty(*[GOOD] * 5)[:-3], "line 16: the list is not closed"),
    "a comma too many": (pretty(*[GOOD] * 5, ""), "line 18: is not valid JSON"),
    "an error on an element's second line": (pretty(*[GOOD] * 5, '{"text":\n oops}'), "line 18: is not valid JSON"),
    "something behind": (pretty(*[GOOD] * 5) + b"{}", "line 18: something follows the closing ]"),
    "not UTF-8": (pretty(*[GOOD] * 5)[:-3] + b',\n{"text": "\xff"}]', "line 17: is not UTF-8"),
    "half a character at the end": (pretty(GOOD)[:-2] + b"\xc3", "is not UTF-8"),
    "brackets": (b"[" * 100_000, "line 1: is nested deeper"),
    "objects": (b"[" + b'{"a":' * 100_000, "line 1: is nested deeper"),
}


@pytest.mark.parametrize("piece_bytes", [5, MIB])
@pytest.mark.parametrize("case", BROKEN)
def test_broken_json_is_named_by_its_line(case: str, piece_bytes: int) -> None:
    data, expected = BROKEN[case]
    assert expected in problems(data, "rows.json", piece_bytes=piece_bytes)[-1]


def test_an_empty_list_holds_no_rows() -> None:
    assert problems(b"[ \n ]", "rows.json") == ["the file holds no rows; upload at least one"]


@pytest.mark.parametrize("length", [5000, 50_000])
def test_an_element_over_the_limit_is_named(length: int) -> None:
    limits = Limits(dataset_bytes=MIB, row_bytes=1000)
    data = pretty(GOOD, '{"text": "%s"}' % ("x" * length))
    for piece_bytes in (100, MIB):
        (text,) = problems(data, "rows.json", limits=limits, piece_bytes=piece_bytes)
        assert text.startswith("line 5: is longer than 1000 bytes")


def test_a_long_element_in_small_pieces_costs_little() -> None:
    data = b'[{"text": "a", "n": [' + b"1," * 200_000 + b"1]}]"
    begin = time.process_time()
    assert read(data, "rows.json", piece_bytes=200)[0].row_count == 1
    # Two thousand tries of what has come so far would take half a minute.
    assert time.process_time() - begin < 5


def test_text_that_never_ends_is_not_kept_for_ever() -> None:
    limits = Limits(dataset_bytes=64 * MIB, row_bytes=1000)
    (text,) = problems(b'[{"text": "' + b"x" * MIB, "rows.json", limits=limits, piece_bytes=8192)
    assert text.startswith("line 1: is longer than 1000 bytes")
