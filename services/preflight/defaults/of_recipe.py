"""What the recipe sets."""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.preflight.defaults.suggestion import Circumstances, Suggestion


def of_recipe(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """Every value of the recipe's defaults."""
    recipe = circumstances.recipe
    if recipe is None:
        return
    values = MessageToDict(recipe.defaults, preserving_proto_field_name=True)
    for path, value in _leaves(values):
        yield Suggestion(path, value, f"the recipe {recipe.display_name} sets it")


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
