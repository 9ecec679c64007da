"""An adapter whose files lie in an incoming folder is recorded, and the folder put in its place."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection
from tunesmith.registry.v1 import adapter_pb2

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.idempotency import RequestLog
from services.chassis.identity import OWNER, PROJECT
from services.registry import storage as registry
from services.registry.adapters import storage
from services.registry.shelf import Incoming

# CreateAdapterResponse and its like: each has the adapter and nothing else.
Answer = TypeVar("Answer", bound=Message)


class Answers:
    """The answered writes of one method, by request_id."""

    def __init__(self, method: str, answer: Callable[..., Message]) -> None:
        self._log = RequestLog(registry.requests, method)
        self._answer = answer

    def find(self, connection: Connection, request_id: str, request_hash: str) -> adapter_pb2.Adapter | None:
        """What an earlier write of this id answered. Raises AlreadyExists if it had another body."""
        earlier = self._log.find(connection, PROJECT, request_id, request_hash, self._answer)  # type: ignore[arg-type]
        return None if earlier is None else earlier.adapter  # type: ignore[attr-defined]

    def store(self, connection: Connection, request_id: str, request_hash: str, adapter: adapter_pb2.Adapter) -> None:
        """Keep the answer. Call it in the transaction that has the effect."""
        self._log.store(connection, PROJECT, request_id, request_hash, self._answer(adapter=adapter))


async def record(
    database: Database,
    incoming: Incoming,
    adapter: adapter_pb2.Adapter,
    answers: Answers,
    request_id: str,
    request_hash: str,
    set_id: str | None = None,
) -> adapter_pb2.Adapter:
    """Record an adapter, unless this request was answered before or its set of artifacts is one; answers what is there."""
    adapter.id = await asyncio.to_thread(incoming.seal)
    adapter.project, adapter.owner = PROJECT, OWNER
    adapter.size_bytes = sum(file.size_bytes for file in adapter.files)

    def work(connection: Connection) -> adapter_pb2.Adapter:
        earlier = answers.find(connection, request_id, request_hash)
        if earlier is not None:
            return earlier
        known = storage.adapter_of_set(connection, PROJECT, set_id) if set_id else None
        if known is None:
            known = adapter
            known.create_time.CopyFrom(timestamp(now_ms(connection)))
            known.update_time.CopyFrom(known.create_time)
            connection.execute(storage.adapters.insert().values(storage.adapter_row(known, set_id)))
        answers.store(connection, request_id, request_hash, known)
        return known

    stored = await registry.write(database, work)
    if stored.id == adapter.id:
        await asyncio.to_thread(incoming.publish)
    return stored
