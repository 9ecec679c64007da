"""A finished folder of rows becomes a dataset: recorded as the next version under its name, then put in its place."""

import asyncio
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.idempotency import RequestLog
from services.chassis.identity import OWNER, PROJECT
from services.registry import convert, storage
from services.registry.shelf import Incoming

Response = TypeVar("Response", messages.UploadDatasetResponse, messages.ConvertDatasetResponse)


@dataclass(frozen=True)
class NewDataset:
    """What is to be recorded: the rows and what people say of them, and the request that brought them."""

    requests: RequestLog
    request_id: str
    request_hash: str
    dataset: dataset_pb2.Dataset


async def keep_dataset(database: Database, incoming: Incoming, new: NewDataset, answer: Response) -> Response:
    """Record a dataset and put its folder in its place, unless this request was answered before.

    Answers `answer` with the dataset in it, or what was answered first.
    """
    dataset_id = await asyncio.to_thread(incoming.seal)

    def work(connection: Connection) -> tuple[Response, bool]:
        earlier = new.requests.find(connection, PROJECT, new.request_id, new.request_hash, type(answer))
        if earlier is not None:
            return earlier, False
        dataset = dataset_pb2.Dataset(id=dataset_id, project=PROJECT, owner=OWNER)
        dataset.MergeFrom(new.dataset)
        dataset.version = storage.next_version(connection, PROJECT, dataset.display_name)
        dataset.create_time.CopyFrom(timestamp(now_ms(connection)))
        dataset.update_time.CopyFrom(dataset.create_time)
        # Its size and hash are of the bytes that were written.
        dataset.integrity.status = dataset_pb2.INTEGRITY_STATUS_VERIFIED
        dataset.integrity.check_time.CopyFrom(dataset.create_time)
        connection.execute(storage.datasets.insert().values(convert.dataset_row(dataset)))
        answer.dataset.CopyFrom(dataset)
        new.requests.store(connection, PROJECT, new.request_id, new.request_hash, answer)
        return answer, True

    response, made = await storage.write(database, work)
    if made:
        await asyncio.to_thread(incoming.publish)
    return response
