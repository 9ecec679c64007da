"""`tunesmith recipes`: ways to train."""

from collections.abc import Iterable
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.choices import chosen
from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.cli.output import facts, table
from tunesmith.cli.paging import DEFAULT_LIMIT, LimitOption, gather
from tunesmith.cli.session import Session, command
from tunesmith.cli.source_file import STANDARD_INPUT, STANDARD_INPUT_SHOWN, parse, read_text
from tunesmith.client.errors import NotFound
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2, recipe_pb2
from tunesmith.registry.v1 import recipe_service_pb2 as messages

app = typer.Typer(help="Ways to train.", no_args_is_help=True)

TYPE_PREFIX, MODALITY_PREFIX, FORMAT_PREFIX = "RECIPE_TYPE_", "MODALITY_", "DATASET_FORMAT_"
NONE_YET = "no recipes; `tunesmith recipes add` adds one"

Name = Annotated[str, typer.Argument(help="The recipe's id or display name.")]


@command(app, "list")
def list_recipes(
    session: Session,
    type: Annotated[str | None, typer.Option("--type", help="Only recipes of this type, such as qlora.")] = None,
    modality: Annotated[str | None, typer.Option("--modality", help="Only for models that read this, such as text.")] = None,
    offered: Annotated[bool, typer.Option("--offered", help="Only recipes that are offered.")] = False,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """List recipes, newest first."""
    response = gather(
        session.client.recipes.list_recipes,
        limit,
        session.output,
        NONE_YET,
        type=chosen(recipe_pb2.RecipeType, TYPE_PREFIX, "--type", type) if type else None,
        modality=chosen(base_model_pb2.Modality, MODALITY_PREFIX, "--modality", modality) if modality else None,
        active_only=offered,
    )
    session.output.show(response, lambda: _many(response.recipes))


@command(app, "show")
def show_recipe(session: Session, name: Name) -> None:
    """Show a recipe and what it sets."""
    response = session.client.recipes.get_recipe(id=name)
    session.output.show(response, lambda: _one(response.recipe))


@command(app, "add")
def add_recipe(
    session: Session,
    file: Annotated[str, typer.Argument(help="A YAML or JSON file with display_name, type and defaults; - for standard input.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace the recipe of that name, if there is one.")] = False,
) -> None:
    """Add a recipe."""
    content = _read(file)
    earlier = _id_of(session, content.display_name) if replace and content.display_name else None
    if earlier is None:
        response: Message = session.client.recipes.create_recipe(recipe=content)
    else:
        response = session.client.recipes.update_recipe(id=earlier, recipe=content)
    session.output.show(response, lambda: _one(response.recipe))  # type: ignore[attr-defined]


@command(app, "delete")
def delete_recipe(session: Session, name: Name) -> None:
    """Delete a recipe. Jobs keep what they were created with."""
    recipe = session.client.recipes.get_recipe(id=name).recipe
    response = session.client.recipes.delete_recipe(id=recipe.id)
    session.output.note(f"deleted {recipe.display_name}")
    session.output.show(response, lambda: facts([("id", recipe.id), ("name", recipe.display_name)]))


def _read(name: str) -> messages.RecipeContent:
    shown = STANDARD_INPUT_SHOWN if name == STANDARD_INPUT else name
    source = parse(read_text(name), shown)
    if not isinstance(source.value, dict):
        raise CliError(f"{shown}: holds no recipe; begin with `display_name:`, `type:` and `defaults:`", EXIT_USAGE)
    content = messages.RecipeContent()
    source.fill(content)
    return content


def _id_of(session: Session, name: str) -> str | None:
    try:
        return session.client.recipes.get_recipe(id=name).recipe.id
    except NotFound:
        return None


def _many(recipes: Iterable[recipe_pb2.Recipe]) -> Table:
    rows = [
        (
            recipe.id,
            recipe.display_name,
            wording.choice(recipe_pb2.RecipeType, recipe.type, TYPE_PREFIX),
            wording.choice(base_model_pb2.Modality, recipe.modality, MODALITY_PREFIX),
            "begin with it" if recipe.recommended else "yes" if recipe.active else "no",
            recipe.description,
        )
        for recipe in recipes
    ]
    return table("ID", "NAME", "TYPE", "MODALITY", "OFFERED", "GOOD FOR", rows=rows)


def _one(recipe: recipe_pb2.Recipe) -> Table:
    formats = [wording.choice(dataset_pb2.DatasetFormat, one, FORMAT_PREFIX) for one in recipe.dataset_formats]
    return facts(
        [
            ("id", recipe.id),
            ("name", recipe.display_name),
            ("good for", recipe.description),
            ("type", wording.choice(recipe_pb2.RecipeType, recipe.type, TYPE_PREFIX)),
            ("modality", wording.choice(base_model_pb2.Modality, recipe.modality, MODALITY_PREFIX)),
            ("offered", "no" if not recipe.active else "yes, to begin with" if recipe.recommended else "yes"),
            *_settings(recipe),
            ("needs", ", ".join(recipe.required_fields)),
            ("worth a look", ", ".join(recipe.optional_fields)),
            ("families", ", ".join(recipe.supported_families) or "every one of its modality"),
            ("datasets", ", ".join(formats)),
            ("quantized base model", "allowed" if recipe.quantized_base_allowed else "not allowed"),
            ("hidden size", f"at least {recipe.min_hidden_size}" if recipe.min_hidden_size else ""),
            ("created", wording.ago(recipe.create_time)),
        ]
    )


def _settings(recipe: recipe_pb2.Recipe) -> list[tuple[str, str]]:
    """Each field that it sets, with its value."""
    return list(_leaves(MessageToDict(recipe.defaults, preserving_proto_field_name=True), ""))


def _leaves(value: object, path: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        yield path, ", ".join(map(str, value))
    elif path:
        yield path, "{}" if value == {} else str(value)
