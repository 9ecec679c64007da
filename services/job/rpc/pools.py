"""tunesmith.pool.v1.PoolService."""

import grpc
from sqlalchemy import Connection, func, select
from tunesmith.pool.v1 import pool_service_pb2 as messages
from tunesmith.pool.v1 import pool_service_pb2_grpc

from services.chassis.database import Database, now_ms
from services.chassis.paging import read_page
from services.job import convert, domain, storage


class PoolServicer(pool_service_pb2_grpc.PoolServiceServicer):
    """Where work can run."""

    def __init__(self, database: Database, lost_after_s: float) -> None:
        self._database = database
        self._lost_after_ms = round(lost_after_s * 1000)

    async def ListPools(
        self, request: messages.ListPoolsRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListPoolsResponse:
        return await self._database.read(lambda connection: _list_pools(connection, request, self._lost_after_ms))


def _list_pools(connection: Connection, request: messages.ListPoolsRequest, lost_after_ms: int) -> messages.ListPoolsResponse:
    rows, token = read_page(connection, select(storage.pools), storage.pools.c.id, request)
    running, now = _running_jobs(connection), now_ms(connection)
    pools = [convert.pool(row, running.get(row["id"], 0), lost=now - row["last_seen_ms"] > lost_after_ms) for row in rows]
    return messages.ListPoolsResponse(pools=pools, next_page_token=token)


def _running_jobs(connection: Connection) -> dict[str, int]:
    table = storage.jobs
    leased = [domain.name_of(state) for state in domain.LEASED]
    query = select(table.c.pool_id, func.count().label("jobs")).where(table.c.state.in_(leased)).group_by(table.c.pool_id)
    return {row.pool_id: row.jobs for row in connection.execute(query)}
