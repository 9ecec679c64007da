"""How texts, times and sizes read."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tunesmith.cli import wording
from tunesmith.job.v1.job_state_pb2 import JobState

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_a_text_loses_what_moves_the_cursor_and_what_hides_a_part_of_it() -> None:
    assert wording.plain("\x1b[31mred\x1b[0m\a\r\x9b2J") == "[31mred[0m2J"
    assert wording.plain("evil\u202egnp.exe") == "evilgnp.exe"
    assert wording.plain("two\nlines\tand 日本語 🙂") == "two lines and 日本語 🙂"


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "just now"), (59, "just now"), (60, "1 min ago"), (7199, "1 h ago"), (200_000, "2 d ago")]
)
def test_how_long_ago(seconds: int, expected: str) -> None:
    time = Timestamp()
    time.FromDatetime(NOW - timedelta(seconds=seconds))
    assert wording.ago(time, NOW) == expected


def test_an_unset_time_is_nothing() -> None:
    assert wording.ago(Timestamp(), NOW) == ""
    assert wording.clock(Timestamp()) == ""


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.24, "0.2 s"), (42.4, "42 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")]
)
def test_a_duration(seconds: float, expected: str) -> None:
    assert wording.duration(seconds) == expected


@pytest.mark.parametrize(
    ("byte_count", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (3_400_000, "3.4 MB"), (999_600, "1 MB"), (141_000_000_000, "141 GB")],
)
def test_a_size(byte_count: int, expected: str) -> None:
    assert wording.size(byte_count) == expected


def test_counts_numbers_and_shares() -> None:
    assert wording.count(2_400_000) == "2.4 M"
    assert wording.number(0.0001) == "0.0001"
    assert wording.number(2.13456) == "2.135"
    assert wording.number(float("nan")) == "nan"
    assert wording.share(0.999) == "99 %"
    assert wording.share(1) == "100 %"


def test_a_value_newer_than_this_program_stays_a_number() -> None:
    assert wording.choice(JobState, 5, "JOB_STATE_") == "succeeded"
    assert wording.choice(JobState, 0, "JOB_STATE_") == ""
    assert wording.choice(JobState, 99, "JOB_STATE_") == "99"
