"""What people say about a dataset, and whether it is on the list; its rows never change."""

from sqlalchemy import Connection
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.identity import PROJECT
from services.registry import convert, storage


async def update_dataset(database: Database, request: messages.UpdateDatasetRequest) -> dataset_pb2.Dataset:
    """Change the fields that are set. Raises NotFound."""

    def work(connection: Connection) -> dataset_pb2.Dataset:
        dataset = convert.dataset(storage.find_dataset(connection, PROJECT, request.id))
        if request.HasField("description") and request.description != dataset.description:
            dataset.description = request.description
            dataset.update_time.CopyFrom(timestamp(now_ms(connection)))
            storage.replace_dataset(connection, request.id, dataset.SerializeToString())
        return dataset

    return await storage.write(database, work)


async def delete_dataset(database: Database, dataset_id: str) -> None:
    """Take it off the list; its rows stay for the jobs that have it. A second time changes nothing. Raises NotFound."""

    def work(connection: Connection) -> None:
        row = storage.find_dataset(connection, PROJECT, dataset_id, deleted=True)
        if row["delete_time_ms"] is None:
            table = storage.datasets
            deleted = table.update().where(table.c.id == dataset_id).values(delete_time_ms=now_ms(connection))
            connection.execute(deleted)

    await storage.write(database, work)
