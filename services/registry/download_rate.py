"""How fast downloads went, and how long the next one takes."""

from sqlalchemy import Connection, select

from services.chassis.database import now_ms
from services.chassis.ids import new_id
from services.registry import storage

# Before anything was measured: 200 Mbit/s.
ASSUMED_BYTES_PER_SECOND = 25_000_000.0
# What is fetched of less tells of the way to the hub, not of the rate.
_TELLING_BYTES = 8 * 1024 * 1024


def last_rate(connection: Connection) -> float:
    """Bytes per second of the last download that was large enough to tell."""
    table = storage.downloads
    row = connection.execute(select(table.c.byte_count, table.c.seconds).order_by(table.c.id.desc()).limit(1)).one_or_none()
    return row.byte_count / row.seconds if row else ASSUMED_BYTES_PER_SECOND


def record(connection: Connection, model_id: str, byte_count: int, seconds: float) -> None:
    """Keep what a download took. Only bytes that came from the hub count."""
    if byte_count < _TELLING_BYTES or seconds <= 0:
        return
    values = {"base_model_id": model_id, "byte_count": byte_count, "seconds": seconds, "end_time_ms": now_ms(connection)}
    connection.execute(storage.downloads.insert().values(id=new_id(), **values))
