"""The text that every machine has."""

import subprocess
import sys
from pathlib import Path

import pytest

from starter import docstrings as module
from starter.docstrings import Docstring, docstrings

ROOT = Path(__file__).parents[3]
COUNT = 300


@pytest.fixture(scope="module")
def found() -> list[Docstring]:
    return docstrings(COUNT)


def test_they_are_so_many_and_each_says_something_else(found: list[Docstring]) -> None:
    assert len({each.summary for each in found}) == len(found) == COUNT


def test_they_come_in_the_same_order_every_time(found: list[Docstring]) -> None:
    assert docstrings(COUNT) == found


def test_a_summary_is_one_sentence_of_its_text(found: list[Docstring]) -> None:
    for each in found:
        assert each.signature.startswith("def ")
        assert each.summary[-1] in ".!"
        assert 16 <= len(each.summary) <= 161
        assert " ".join(each.text.split()).startswith(each.summary)


def test_source_is_read_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = '''
open("ran", "w")
class A:
    def f(self, left, right):
        """Add two numbers that are given. Then rest.

        More.
        """
    async def g(self):
        """Short."""
    def h(self):
        """Say it in Größe, which is not ASCII."""
'''
    (tmp_path / "a.py").write_text(program)
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "latin.py").write_bytes(b"x = '\xff'")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "b.py").write_text('def t():\n    """A test that is about something else."""\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module.sysconfig, "get_path", lambda name: str(tmp_path if name == "stdlib" else tmp_path / "none"))
    expected = Docstring(
        "def f(left, right)", "Add two numbers that are given.", "Add two numbers that are given. Then rest.\n\nMore."
    )
    assert docstrings(10) == [expected]
    assert not (tmp_path / "ran").exists()


def test_it_needs_nothing_heavy() -> None:
    program = "import sys, starter.pico, starter.docstrings; print({'torch', 'transformers', 'ray'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout == "set()\n"
