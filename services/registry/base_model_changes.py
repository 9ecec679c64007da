"""A base model read, changed and written in one transaction."""

from collections.abc import Callable

from sqlalchemy import Connection, RowMapping
from tunesmith.registry.v1 import base_model_pb2

from services.chassis.database import now_ms, timestamp
from services.chassis.identity import PROJECT
from services.registry import convert, storage


def change_base_model(
    connection: Connection, model_id: str, change: Callable[[base_model_pb2.BaseModel], None]
) -> base_model_pb2.BaseModel:
    """The base model as `change` left it. A change that changes nothing is not written. Raises NotFound, or what `change` raises.

    Writes run one after another, so that two changes never start from the same state.
    """
    row = storage.find_base_model(connection, PROJECT, model_id)
    model = convert.base_model(row)
    before = base_model_pb2.BaseModel.FromString(row["definition"])
    change(model)
    if model != before:
        model.update_time.CopyFrom(timestamp(now_ms(connection)))
        write(connection, row, model)
    return model


def write(connection: Connection, row: RowMapping, model: base_model_pb2.BaseModel) -> None:
    """Store a changed model in its row."""
    table, columns = storage.base_models, convert.base_model_columns(model)
    if row["delete_time_ms"] is not None:
        # The name may be another model's by now.
        columns["hub_repo"] = None
    connection.execute(table.update().where(table.c.id == row["id"]).values(columns))
