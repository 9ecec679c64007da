"""A write that carries a request_id happens once: its answer is stored beside its effect, in the same transaction."""

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, String, Table, select

from services.chassis.database import now_ms
from services.chassis.errors import AlreadyExists

Response = TypeVar("Response", bound=Message)


def request_table(metadata: MetaData, service: str) -> Table:
    """The table a service keeps its answered writes in."""
    return Table(
        f"{service}_requests",
        metadata,
        Column("project", String(64), primary_key=True),
        Column("method", String(128), primary_key=True),
        Column("request_id", String(128), primary_key=True),
        Column("request_hash", String(64), nullable=False),
        Column("response", LargeBinary, nullable=False),
        Column("create_time_ms", BigInteger, nullable=False),
    )


class RequestLog:
    """The answered writes of one method."""

    def __init__(self, table: Table, method: str) -> None:
        self._table = table
        self._method = method

    def find(
        self, connection: Connection, project: str, request_id: str, request_hash: str, response: type[Response]
    ) -> Response | None:
        """The answer to an earlier write of this id; None if there was none, or the write has no id.

        Raises AlreadyExists, reason REQUEST_ID_REUSED, if the earlier write had another body.
        """
        if not request_id:
            return None
        table = self._table
        row = connection.execute(
            select(table.c.request_hash, table.c.response).where(
                table.c.project == project, table.c.method == self._method, table.c.request_id == request_id
            )
        ).one_or_none()
        if row is None:
            return None
        if row.request_hash != request_hash:
            text = (
                f"request_id {request_id!r} was used for another {self._method} with a different body; "
                "send a new request_id, or repeat the first body unchanged"
            )
            raise AlreadyExists("REQUEST_ID_REUSED", text, {"request_id": request_id})
        return response.FromString(row.response)

    def once(
        self,
        connection: Connection,
        project: str,
        request_id: str,
        request_hash: str,
        response: type[Response],
        work: Callable[[], Response],
    ) -> Response:
        """The answer to an earlier write of this id, or that of the work, done and kept now. Raises as `find` and the work do.

        Call it in the transaction that has the effect.
        """
        earlier = self.find(connection, project, request_id, request_hash, response)
        if earlier is not None:
            return earlier
        answer = work()
        self.store(connection, project, request_id, request_hash, answer)
        return answer

    def store(self, connection: Connection, project: str, request_id: str, request_hash: str, response: Message) -> None:
        """Keep the answer. Call it in the transaction that has the effect."""
        if request_id:
            connection.execute(
                self._table.insert().values(
                    project=project,
                    method=self._method,
                    request_id=request_id,
                    request_hash=request_hash,
                    response=response.SerializeToString(),
                    create_time_ms=now_ms(connection),
                )
            )
