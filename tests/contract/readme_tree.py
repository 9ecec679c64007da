"""Reads the annotated tree in README.md.

It is the fenced block under the heading `The tree`. A line is a path and, two or more spaces later, what it is for. Two more
spaces at its head, or `├── ` and its like, put it into the folder above. A folder ends with a slash, `{a,b}` stands for a and b,
`*` for whatever matches, and a line that begins with `#` is a remark.
"""

import re
from collections.abc import Iterator
from pathlib import Path

_HEADING = re.compile(r"^#+\s+The tree\s*$", re.MULTILINE)
_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_BRANCHES = re.compile(r"[│├└─|`]")
_LEVEL = 2
_BRANCH_LEVEL = 4


def tree_block(readme: str) -> str:
    """The block's text. Raises AssertionError if the README has none."""
    heading = _HEADING.search(readme)
    assert heading is not None, "README.md has no heading `The tree`"
    block = _FENCE.search(readme, heading.end())
    assert block is not None, "README.md has no fenced block under `The tree`"
    return block[1]


def tree_paths(block: str) -> Iterator[str]:
    """Every path that the block names, from the root of the repository on; a folder with a slash at its end."""
    level = _BRANCH_LEVEL if _BRANCHES.search(_heads(block)) else _LEVEL
    folders: list[str] = []
    for line in block.splitlines():
        text = line[len(_head(line)) :]
        if not text or text.startswith("#"):
            continue
        depth = len(_head(line)) // level
        name = re.split(r"\s{2,}|\s+#", text, maxsplit=1)[0].strip()
        paths = [f"{''.join(folders[:depth])}{one}".removeprefix("./") for part in name.split() for one in _expanded(part)]
        yield from (path for path in paths if path)
        folders = [*folders[:depth], name if name.endswith("/") else f"{name}/"]


def missing(path: str, root: Path) -> bool:
    """Whether nothing is at a path, or a file where a folder is named."""
    found = list(root.glob(path)) if "*" in path else [root / path]
    return not any(one.is_dir() if path.endswith("/") else one.exists() for one in found)


def _expanded(path: str) -> Iterator[str]:
    braces = re.search(r"\{([^{}]*)\}", path)
    if braces is None:
        yield path
        return
    for choice in braces[1].split(","):
        yield from _expanded(path[: braces.start()] + choice.strip() + path[braces.end() :])


def _head(line: str) -> str:
    found = re.match(r"[\s│├└─|`]*", line)
    return found[0] if found else ""


def _heads(block: str) -> str:
    return "".join(_head(line) for line in block.splitlines())
