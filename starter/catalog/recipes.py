"""Adds the recipes of recipes.json to a registry."""

import json
from collections.abc import Sequence
from pathlib import Path

from tunesmith.client.blocking import Tunesmith
from tunesmith.client.errors import AlreadyExists
from tunesmith.client.requests import parsed
from tunesmith.registry.v1.recipe_service_pb2 import RecipeContent

FILE = Path(__file__).with_name("recipes.json")
_NAME_TAKEN = "DISPLAY_NAME_TAKEN"


def contents() -> Sequence[RecipeContent]:
    """The recipes, the one to begin with last, so that a list shows it first."""
    entries = json.loads(FILE.read_text(encoding="utf-8"))
    return [parsed(RecipeContent, entry) for entry in reversed(entries)]


def seed_recipes(client: Tunesmith) -> list[str]:
    """Add the recipes whose names are free; answers those names. A recipe that is there stays as people have made it."""
    added = []
    for content in contents():
        try:
            client.recipes.create_recipe(recipe=content)
        except AlreadyExists as error:
            if error.reason != _NAME_TAKEN:
                raise
        else:
            added.append(content.display_name)
    return added
