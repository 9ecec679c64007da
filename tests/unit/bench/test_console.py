"""The programs that the console's bench runs in a browser are there, by the names it calls them."""

import re
from pathlib import Path

import bench.console

BROWSER = Path(bench.console.__file__).parent / "browser"


def test_each_program_is_called_and_each_call_has_a_program() -> None:
    source = Path(bench.console.__file__).read_text()
    called = set(re.findall(r'_run\("(\w+)"', source)) | set(re.findall(r"bench/browser/(\w+)\.mts", source))
    assert called == {path.stem for path in BROWSER.glob("*.mts")}
    assert len(called) == 3


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert bench.console.percentile([5.0, 1.0, 4.0, 2.0, 3.0], 95) == 5.0
    assert bench.console.percentile([float(value) for value in range(1, 201)], 95) == 190.0
