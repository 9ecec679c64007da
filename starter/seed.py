"""`python -m starter.seed`: register the catalogue, so that a new home is not empty: base models, recipes, adapters.

It can be repeated: what is there stays as people have made it. `make up` does it once, at a home's first start.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from tunesmith.cli.errors import explain
from tunesmith.cli.output import Format, Output, table
from tunesmith.client.blocking import Tunesmith
from tunesmith.client.errors import NotFound, TunesmithError, Unavailable

from services.chassis.settings import Settings
from starter.catalog import base_models, recipes
from starter.catalog.adapters import SAMPLES, seed_adapters
from starter.catalog.base_models import seed_base_models
from starter.catalog.recipes import seed_recipes

# In a home: its catalogue was registered. The supervisor looks for it.
MARK = "catalog-registered"
# A gateway that was just started may not have its services yet.
PATIENCE_S = 60.0
_RETRY_S = 1.0


class Line(NamedTuple):
    """What became of one entry."""

    kind: str
    name: str
    outcome: str


def seed(client: Tunesmith) -> list[Line]:
    """Register everything, adapters after the model they belong to; answers a line an entry. Raises TunesmithError."""
    kinds: list[tuple[str, list[str], Callable[[Tunesmith], list[str]]]] = [
        ("base model", [entry["repo"] for entry in base_models.entries()], seed_base_models),
        ("recipe", [content.display_name for content in recipes.contents()], seed_recipes),
        ("adapter", [sample.display_name for sample in SAMPLES], seed_adapters),
    ]
    lines = []
    for kind, names, register in kinds:
        try:
            added, otherwise = _patiently(register, client), "was there before"
        except NotFound as missing:
            added, otherwise = [], f"left out: {missing.message}"
        lines += [Line(kind, name, "registered" if name in added else otherwise) for name in names]
    return lines


def _patiently(register: Callable[[Tunesmith], list[str]], client: Tunesmith) -> list[str]:
    """Register a kind, with patience for services that are not up yet."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return register(client)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)


def main() -> int:
    """Register the catalogue and print what became of it. Answers the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--first-start", action="store_true", help="in the background, and noted in the home")
    arguments = parser.parse_args()
    output = Output(Format.TABLE)
    if arguments.first_start:
        os.nice(19)
    try:
        with Tunesmith() as client:
            lines = seed(client)
    except TunesmithError as error:
        for text in explain(error).lines:
            output.note(f"error: {text}", style="red")
        return 1
    if arguments.first_start:
        (Settings().home / MARK).touch()
    output.table(table("KIND", "NAME", "OUTCOME", rows=lines, whole=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
