"""The recipes' table, and the questions that are asked of it."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    LargeBinary,
    RowMapping,
    Select,
    String,
    Table,
    UniqueConstraint,
    or_,
    select,
)
from tunesmith.registry.v1 import base_model_pb2, recipe_pb2

from services.chassis.errors import NotFound
from services.registry.storage import metadata

recipes = Table(
    "registry_recipes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    # Unset once it is deleted, so that the name is free again; the database takes any number of rows without one.
    Column("display_name", String(128)),
    Column("type", String(64), nullable=False),
    Column("modality", String(64), nullable=False),
    Column("active", Boolean, nullable=False),
    # A Recipe with all of the above and the rest.
    Column("definition", LargeBinary, nullable=False),
    Column("create_time_ms", BigInteger, nullable=False),
    Column("delete_time_ms", BigInteger),
    UniqueConstraint("project", "display_name"),
    Index("registry_recipes_by_project", "project", "id"),
)


def recipe(row: RowMapping) -> recipe_pb2.Recipe:
    """A row as the message it holds."""
    return recipe_pb2.Recipe.FromString(row["definition"])


def recipe_row(message: recipe_pb2.Recipe) -> dict[str, Any]:
    """A Recipe as it is stored: whole, beside what is asked for by column."""
    return {
        "id": message.id,
        "project": message.project,
        "owner": message.owner,
        "display_name": message.display_name,
        "type": recipe_pb2.RecipeType.Name(message.type),
        "modality": base_model_pb2.Modality.Name(message.modality),
        "active": message.active,
        "definition": message.SerializeToString(),
        "create_time_ms": message.create_time.ToMilliseconds(),
    }


def listed(project: str) -> Select[Any]:
    """The recipes that were not deleted."""
    return select(recipes).where(recipes.c.project == project, recipes.c.delete_time_ms.is_(None))


def find_recipe(connection: Connection, project: str, name: str) -> recipe_pb2.Recipe:
    """One recipe, by id or by display name; an id goes first. Raises NotFound."""
    named = or_(recipes.c.id == name, recipes.c.display_name == name)
    rows = connection.execute(listed(project).where(named)).mappings().all()
    if not rows:
        raise not_found(name)
    return recipe(next((row for row in rows if row["id"] == name), rows[0]))


def recipe_of_name(connection: Connection, project: str, display_name: str) -> recipe_pb2.Recipe | None:
    """The recipe of a display name."""
    row = connection.execute(listed(project).where(recipes.c.display_name == display_name)).mappings().one_or_none()
    return None if row is None else recipe(row)


def not_found(name: str) -> NotFound:
    """There is no such recipe."""
    return NotFound("recipe", name, "GET /v1/recipes lists them")
