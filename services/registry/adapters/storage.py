"""The adapters' table, and the questions that are asked of it."""

from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, LargeBinary, RowMapping, Select, String, Table, select
from tunesmith.registry.v1 import adapter_pb2

from services.chassis.errors import NotFound
from services.registry.storage import metadata

adapters = Table(
    "registry_adapters",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("display_name", String(128), nullable=False),
    Column("base_model_id", String(36), nullable=False),
    Column("type", String(64), nullable=False),
    Column("status", String(64), nullable=False),
    # The set of artifacts that it was taken from.
    Column("artifact_set_id", String(36)),
    # An Adapter with all of the above and the rest.
    Column("definition", LargeBinary, nullable=False),
    Column("create_time_ms", BigInteger, nullable=False),
    # When it was taken off the list. Its files stay: others may have been composed of it.
    Column("delete_time_ms", BigInteger),
    Index("registry_adapters_by_project", "project", "id"),
    Index("registry_adapters_by_base_model", "project", "base_model_id", "id"),
    Index("registry_adapters_by_set", "project", "artifact_set_id"),
)


def adapter(row: RowMapping) -> adapter_pb2.Adapter:
    """A row as the message it holds."""
    return adapter_pb2.Adapter.FromString(row["definition"])


def adapter_row(message: adapter_pb2.Adapter, artifact_set_id: str | None) -> dict[str, Any]:
    """A new Adapter as it is stored: whole, beside what is asked for by column."""
    return changed_row(message) | {
        "id": message.id,
        "project": message.project,
        "owner": message.owner,
        "base_model_id": message.base_model_id,
        "type": adapter_pb2.AdapterType.Name(message.type),
        "artifact_set_id": artifact_set_id,
        "create_time_ms": message.create_time.ToMilliseconds(),
    }


def changed_row(message: adapter_pb2.Adapter) -> dict[str, Any]:
    """What may change of a stored Adapter."""
    return {
        "display_name": message.display_name,
        "status": adapter_pb2.AdapterStatus.Name(message.status),
        "definition": message.SerializeToString(),
    }


def listed(project: str) -> Select[Any]:
    """The adapters that were not deleted."""
    return select(adapters).where(adapters.c.project == project, adapters.c.delete_time_ms.is_(None))


def find_adapter(connection: Connection, project: str, adapter_id: str) -> adapter_pb2.Adapter:
    """One adapter. Raises NotFound."""
    row = connection.execute(listed(project).where(adapters.c.id == adapter_id)).mappings().one_or_none()
    if row is None:
        raise not_found(adapter_id)
    return adapter(row)


def adapter_of_set(connection: Connection, project: str, set_id: str) -> adapter_pb2.Adapter | None:
    """The adapter that was taken from a set of artifacts, the first if several were."""
    query = listed(project).where(adapters.c.artifact_set_id == set_id).order_by(adapters.c.id).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else adapter(row)


def not_found(adapter_id: str) -> NotFound:
    """There is no such adapter."""
    return NotFound("adapter", adapter_id, "GET /v1/adapters lists them")
