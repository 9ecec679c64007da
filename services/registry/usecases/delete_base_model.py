"""A base model is taken off the list. Its record and its files stay for the jobs that have it."""

from sqlalchemy import Connection

from services.chassis.database import now_ms
from services.chassis.identity import PROJECT
from services.registry import storage


def delete_base_model(connection: Connection, name: str) -> str:
    """Take it off the list, unless that was done before; answers its id. Raises NotFound."""
    row = storage.find_base_model(connection, PROJECT, name, deleted=True)
    model_id = str(row["id"])
    if row["delete_time_ms"] is not None:
        return model_id
    table = storage.base_models
    # Its name, and the set it was imported from, may be registered again.
    values = {"delete_time_ms": now_ms(connection), "hub_repo": None, "artifact_set_id": None}
    connection.execute(table.update().where(table.c.id == model_id).values(values))
    return model_id
