"""The registry's tables, and the questions it asks of them."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    UniqueConstraint,
    func,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError

from services.chassis.database import Database
from services.chassis.idempotency import request_table
from services.registry.domain import base_model_not_found, dataset_not_found

metadata = MetaData()

Result = TypeVar("Result")

# SQLite runs writes one after another. PostgreSQL runs them side by side, and two uploads may find the same next version.
_TWIN_ATTEMPTS = 3

datasets = Table(
    "registry_datasets",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("display_name", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("format", String(64), nullable=False),
    Column("source_sha256", String(64), nullable=False),
    # The dataset it was converted from.
    Column("parent_id", String(36)),
    # A Dataset with all of the above and the rest.
    Column("definition", LargeBinary, nullable=False),
    Column("create_time_ms", BigInteger, nullable=False),
    UniqueConstraint("project", "display_name", "version"),
    Index("registry_datasets_by_project", "project", "id"),
    Index("registry_datasets_by_format", "project", "format", "id"),
)

base_models = Table(
    "registry_base_models",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("display_name", String(128), nullable=False),
    Column("hub_repo", String(128)),
    # What an imported result was trained from.
    Column("job_id", String(36)),
    Column("artifact_set_id", String(36)),
    # A BaseModel with all of the above and the rest.
    Column("definition", LargeBinary, nullable=False),
    Column("create_time_ms", BigInteger, nullable=False),
    UniqueConstraint("project", "hub_repo"),
    UniqueConstraint("project", "artifact_set_id"),
    Index("registry_base_models_by_project", "project", "id"),
)

requests = request_table(metadata, "registry")


def find_dataset(connection: Connection, project: str, dataset_id: str) -> RowMapping:
    """One dataset's row. Raises NotFound."""
    query = select(datasets).where(datasets.c.project == project, datasets.c.id == dataset_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise dataset_not_found(dataset_id)
    return row


def next_version(connection: Connection, project: str, display_name: str) -> int:
    """The version that an upload under this name gets."""
    query = select(func.max(datasets.c.version)).where(datasets.c.project == project, datasets.c.display_name == display_name)
    return (connection.execute(query).scalar_one() or 0) + 1


def find_base_model(connection: Connection, project: str, name: str) -> RowMapping:
    """One base model's row, by id or by hub name. Raises NotFound."""
    named = or_(base_models.c.id == name, base_models.c.hub_repo == name)
    row = connection.execute(select(base_models).where(base_models.c.project == project, named)).mappings().one_or_none()
    if row is None:
        raise base_model_not_found(name)
    return row


def base_model_of_hub_repo(connection: Connection, project: str, hub_repo: str) -> RowMapping | None:
    """The base model listed under a hub name."""
    query = select(base_models).where(base_models.c.project == project, base_models.c.hub_repo == hub_repo)
    return connection.execute(query).mappings().one_or_none()


def base_model_of_set(connection: Connection, project: str, set_id: str) -> RowMapping | None:
    """The base model that was imported from a set of artifacts."""
    query = select(base_models).where(base_models.c.project == project, base_models.c.artifact_set_id == set_id)
    return connection.execute(query).mappings().one_or_none()


def ids_of(connection: Connection, table: Table) -> set[str]:
    """The ids of everything that is recorded, in whatever project."""
    return set(connection.execute(select(table.c.id)).scalars())


async def write(database: Database, work: Callable[[Connection], Result]) -> Result:
    """Run a write again if a twin came first: what it looked up before it inserted, it then finds."""
    for _ in range(_TWIN_ATTEMPTS):
        with suppress(IntegrityError):
            return await database.write(work)
    return await database.write(work)
