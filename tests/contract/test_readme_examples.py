"""The examples in README.md are those of the packages, which their tests run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("package", "language"), [("python", "python"), ("typescript", "ts")])
def test_the_readme_shows_what_is_run(package: str, language: str) -> None:
    own = (ROOT / f"gateway/sdk/{package}/README.md").read_text()
    example = re.search(rf"^```{language}\n.*?^```$", own, re.MULTILINE | re.DOTALL)
    assert example is not None
    assert len(example[0].splitlines()) <= 16
    assert example[0] in (ROOT / "README.md").read_text()
