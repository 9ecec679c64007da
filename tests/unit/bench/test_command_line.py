"""What `python -m bench` is told."""

import pytest

from bench.__main__ import parse
from bench.suites import SUITES


def test_without_a_name_everything_is_measured() -> None:
    assert parse([]).names == [*SUITES]
    assert parse(["stack", "--rounds", "8"]).names == ["stack"]


@pytest.mark.parametrize(("words", "said"), [(["stak"], "there is no stak; there are stack,"), (["--rounds", "0"], "at least 1")])
def test_what_can_not_be_followed_says_what_can(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(words)
    assert said in capsys.readouterr().err
