"""Real text that every machine has: the docstrings of Python's standard library and of the installed packages.

Files are parsed, never imported. The order is that of the file names, so that two machines with the same packages get the same
rows.
"""

import ast
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

# A sentence of a summary's usual length; longer ones are mostly tables and markup.
_SENTENCE = re.compile(r"(.{15,160}?[.!])(\s|$)")
_SIGNATURE_CHARACTERS = 120
# Folders whose docstrings say how a test fails rather than what a function does.
_LEFT_OUT = frozenset({"test", "tests", "idlelib", "site-packages", "_vendor", "thirdparty_files"})


@dataclass(frozen=True)
class Docstring:
    """What a function is called with, and what its author says of it."""

    signature: str
    # The first sentence.
    summary: str
    # All of it.
    text: str


def docstrings(limit: int) -> list[Docstring]:
    """So many functions' docstrings, each summary once."""
    by_summary: dict[str, Docstring] = {}
    for found in _all():
        by_summary.setdefault(found.summary, found)
        if len(by_summary) == limit:
            break
    return list(by_summary.values())


def _all() -> Iterator[Docstring]:
    for path in _files():
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError, UnicodeDecodeError, OSError):
            # Some packages carry templates and examples in other encodings under a .py name.
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found = _docstring(node)
                if found is not None:
                    yield found


def _files() -> Iterator[Path]:
    roots = (Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib")))
    for path in chain.from_iterable(sorted(root.rglob("*.py")) for root in roots):
        root = next(root for root in reversed(roots) if path.is_relative_to(root))
        if not _LEFT_OUT & set(path.relative_to(root).parts):
            yield path


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Docstring | None:
    text = ast.get_docstring(node)
    if not text or not text.isascii():
        return None
    sentence = _SENTENCE.match(" ".join(text.split("\n\n")[0].split()))
    names = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
    signature = f"def {node.name}({', '.join(names)})"
    if sentence is None or len(signature) > _SIGNATURE_CHARACTERS:
        return None
    return Docstring(signature, sentence[1], text)
