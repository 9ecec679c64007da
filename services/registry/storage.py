"""The registry's tables, and the questions it asks of them."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
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
    # Set when it was taken off the list. Its rows stay for the jobs that have it, and its version is never given again.
    Column("delete_time_ms", BigInteger),
    # A Dataset with all of the above and the rest.
    Column("definition", LargeBinary, nullable=False),
    Column("create_time_ms", BigInteger, nullable=False),
    UniqueConstraint("project", "display_name", "version"),
    Index("registry_datasets_by_project", "project", "id"),
    Index("registry_datasets_by_format", "project", "format", "id"),
)

dataset_statistics = Table(
    "registry_dataset_statistics",
    metadata,
    Column("dataset_id", String(36), primary_key=True),
    # What counted: `services.registry.usecases.count_dataset.Counter.key`.
    Column("counter_key", String(64), primary_key=True),
    # A DatasetStatistics.
    Column("definition", LargeBinary, nullable=False),
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
    # What lists are filtered by.
    Column("family", String(64)),
    Column("stage", String(32)),
    Column("lifecycle", String(32)),
    Column("modality", String(32)),
    Column("trainable", Boolean),
    # What people call it, its hub name and its family, in lower case.
    Column("search_text", String(512)),
    # Set when it was taken off the list. hub_repo and artifact_set_id are emptied then, so that both are free again.
    Column("delete_time_ms", BigInteger),
    # Which BASE_MODEL_VERSION of the registry wrote it.
    Column("definition_version", Integer, nullable=False),
    # A BaseModel with all of the above and the rest.
    Column("definition", LargeBinary, nullable=False),
    Column("create_time_ms", BigInteger, nullable=False),
    UniqueConstraint("project", "hub_repo"),
    UniqueConstraint("project", "artifact_set_id"),
    Index("registry_base_models_by_project", "project", "id"),
    Index("registry_base_models_by_family", "project", "family", "id"),
)

# Raised when what a model's files tell is stored in more fields: models of an earlier version are read again at the next start.
BASE_MODEL_VERSION = 1

# Downloads that ended well: how long the next one takes is told from the last.
downloads = Table(
    "registry_downloads",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("base_model_id", String(36), nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("end_time_ms", BigInteger, nullable=False),
)

requests = request_table(metadata, "registry")


def find_dataset(connection: Connection, project: str, dataset_id: str, *, deleted: bool = False) -> RowMapping:
    """One dataset's row; of one that was taken off the list only if asked for. Raises NotFound."""
    query = select(datasets).where(datasets.c.project == project, datasets.c.id == dataset_id)
    if not deleted:
        query = query.where(datasets.c.delete_time_ms.is_(None))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise dataset_not_found(dataset_id)
    return row


def replace_dataset(connection: Connection, dataset_id: str, definition: bytes) -> None:
    """Store a dataset again after what people say of it has changed, or what its integrity is."""
    connection.execute(datasets.update().where(datasets.c.id == dataset_id).values(definition=definition))


def next_version(connection: Connection, project: str, display_name: str) -> int:
    """The version that an upload under this name gets."""
    query = select(func.max(datasets.c.version)).where(datasets.c.project == project, datasets.c.display_name == display_name)
    return (connection.execute(query).scalar_one() or 0) + 1


def find_base_model(connection: Connection, project: str, name: str, *, deleted: bool = False) -> RowMapping:
    """One base model's row, by id or by hub name; one that was taken off the list only if asked for. Raises NotFound."""
    named = or_(base_models.c.id == name, base_models.c.hub_repo == name)
    query = select(base_models).where(base_models.c.project == project, named)
    if not deleted:
        query = query.where(base_models.c.delete_time_ms.is_(None))
    row = connection.execute(query).mappings().one_or_none()
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
