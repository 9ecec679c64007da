"""The worker's cache keeps what is used and makes room of what is not."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.cache import Cache

SIZE = 1000


class Shelf:
    """A cache with room for three files, each a second older than the one put in after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = Cache(folder, 3 * SIZE)
        self._clock_s = 1_000_000

    def add(self, name: str) -> Path:
        path = self.cache.add(digest(name), SIZE, [content(name)], name)
        self._clock_s += 1
        os.utime(path, (self._clock_s, self._clock_s))
        return path

    def has(self, names: str) -> list[bool]:
        return [(self.folder / digest(name)[:2] / digest(name)).exists() for name in names]


def content(name: str) -> bytes:
    return name.encode() * SIZE


def digest(name: str) -> str:
    return hashlib.sha256(content(name)).hexdigest()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "cache")
    for name in "abc":
        shelf.add(name)
    shelf.cache.end_use()
    return shelf


def test_what_was_used_longest_ago_makes_room(shelf: Shelf) -> None:
    assert shelf.has("abc") == [True, True, True]
    shelf.cache.find(digest("a"), SIZE)
    shelf.cache.end_use()
    shelf.add("d")
    assert shelf.has("abcd") == [True, False, True, True]


def test_what_the_running_attempt_uses_stays(shelf: Shelf) -> None:
    for name in "abc":
        assert shelf.cache.find(digest(name), SIZE) is not None
    shelf.add("d")
    assert shelf.has("abcd") == [True, True, True, True]
    shelf.cache.end_use()
    assert sum(shelf.has("abcd")) == 3


def test_tokenised_rows_count_and_make_room(shelf: Shelf) -> None:
    rows = shelf.cache.tokenised / "rows.arrow"
    rows.parent.mkdir()
    rows.write_bytes(bytes(SIZE))
    os.utime(rows, (1, 1))
    shelf.cache.end_use()
    assert not rows.exists()
    assert shelf.has("abc") == [True, True, True]


def test_a_file_being_fetched_is_not_counted(shelf: Shelf) -> None:
    partial = shelf.folder / "partial" / "other"
    partial.write_bytes(bytes(10 * SIZE))
    shelf.cache.end_use()
    assert partial.exists()
    assert shelf.has("abc") == [True, True, True]


def test_without_a_bound_nothing_goes(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    paths = [cache.add(digest(name), SIZE, [content(name)], name) for name in "abcd"]
    cache.end_use()
    assert [path.exists() for path in paths] == [True] * 4


def test_what_another_actor_uses_stays_until_it_is_done(shelf: Shelf) -> None:
    neighbour = Cache(shelf.folder, 3 * SIZE)
    for name in "abc":
        shelf.add(name)
    shelf.cache.end_use()
    assert neighbour.find(digest("a"), SIZE) is not None
    shelf.add("d")
    assert shelf.has("abcd") == [True, False, True, True]
    neighbour.end_use()
    shelf.add("e")
    # Its use has made it the youngest.
    assert shelf.has("abcde") == [True, False, False, True, True]


def test_what_a_neighbour_is_fetching_is_not_taken_for_a_leftover(shelf: Shelf) -> None:
    def bytes_of_a() -> Iterator[bytes]:
        (shelf.folder / "partial" / "left").write_bytes(b"of a process that died")
        Cache(shelf.folder).discard_partial()
        yield content("a")

    assert shelf.cache.add(digest("a"), SIZE, bytes_of_a(), "a").read_bytes() == content("a")
    assert list((shelf.folder / "partial").iterdir()) == []
