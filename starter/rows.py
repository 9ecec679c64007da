"""The demo's datasets: docstrings as text and as instructions, or a person's own rows, with some held out."""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from starter.docstrings import Docstring, docstrings

SEED = 0
DOCSTRING_COUNT = 9000
INSTRUCTION_COUNT = 2000
HELD_OUT_COUNT = 200
HELD_OUT_SHARE = 0.1
# Rows of about one length waste no time on padding.
TEXT_CHARACTERS = 600


@dataclass(frozen=True)
class Split:
    """A dataset's two files, one JSON object a line."""

    training: Path
    held_out: Path


def write_docstrings(folder: Path) -> tuple[Split, Split]:
    """(text to train a base on, instructions to tune it on). No summary is in two of the four files."""
    found = docstrings(DOCSTRING_COUNT)
    random.Random(SEED).shuffle(found)
    held_out, instructions, text = (
        found[:HELD_OUT_COUNT],
        found[HELD_OUT_COUNT : HELD_OUT_COUNT + INSTRUCTION_COUNT],
        found[HELD_OUT_COUNT + INSTRUCTION_COUNT :],
    )
    return (
        Split(
            _write(folder / "docstrings.jsonl", _texts(text)),
            _write(folder / "docstrings-held-out.jsonl", _texts(held_out)),
        ),
        Split(
            _write(folder / "summaries.jsonl", map(_instruction, instructions)),
            _write(folder / "summaries-held-out.jsonl", map(_instruction, held_out)),
        ),
    )


def split_rows(rows: bytes, folder: Path) -> Split:
    """A person's rows, a tenth of them (at most 200) held out at random."""
    lines = rows.decode().splitlines()
    random.Random(SEED).shuffle(lines)
    count = min(HELD_OUT_COUNT, max(1, round(len(lines) * HELD_OUT_SHARE)))
    split = Split(folder / "rows.jsonl", folder / "rows-held-out.jsonl")
    split.held_out.write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
    split.training.write_text("\n".join(lines[count:]) + "\n", encoding="utf-8")
    return split


def _instruction(found: Docstring) -> dict[str, str]:
    return {"prompt": f"{found.signature}\n", "completion": found.summary}


def _texts(found: Iterable[Docstring]) -> Iterable[dict[str, str]]:
    text = ""
    for docstring in found:
        text += f"{docstring.summary}\n"
        if len(text) >= TEXT_CHARACTERS:
            yield {"text": text}
            text = ""


def _write(path: Path, rows: Iterable[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path
