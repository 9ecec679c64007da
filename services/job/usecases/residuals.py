"""How far predictions were off, written down when a job succeeds."""

from sqlalchemy import Connection, RowMapping
from tunesmith.job.v1 import job_pb2, job_service_pb2, residual_pb2
from tunesmith.pool.v1 import pool_pb2

from services.chassis.identity import PROJECT
from services.chassis.paging import page_size
from services.job import storage

RESIDUALS_PAGE_SIZE = 200
# Each can be compared: an estimate of the one and a measurement of the other teach nothing.
_COMPARABLE = ("peak_memory_bytes", "step_seconds", "tokens_per_second", "duration_seconds")


def note_residual(connection: Connection, row: RowMapping, measured: bytes | None, end_time_ms: int) -> None:
    """Write down what was expected of a job that succeeds and what was seen; nothing where no figure is in both.

    `row` is the job's before it succeeded.
    """
    predicted = job_pb2.JobFigures.FromString(row["predicted"] or b"")
    seen = job_pb2.JobFigures.FromString(measured or b"")
    if not any(predicted.HasField(name) and seen.HasField(name) for name in _COMPARABLE):
        return
    method = job_pb2.Job.FromString(row["definition"]).resolved_configuration.method.type
    residual = residual_pb2.Residual(
        job_id=row["id"],
        provider=row["provider"],
        pool_id=row["pool_id"] or "",
        device=_trained_on(connection, row["pool_id"]),
        method=method,
        predicted=predicted,
        measured=seen,
    )
    residual.end_time.FromMilliseconds(end_time_ms)
    storage.add_residual(connection, row["id"], row["project"], row["provider"], end_time_ms, residual.SerializeToString())


def list_residuals(
    connection: Connection, request: job_service_pb2.ListResidualsRequest
) -> job_service_pb2.ListResidualsResponse:
    """The latest first."""
    size = page_size(request.page_size, RESIDUALS_PAGE_SIZE)
    found = storage.latest_residuals(connection, PROJECT, request.provider, size)
    return job_service_pb2.ListResidualsResponse(residuals=[residual_pb2.Residual.FromString(one) for one in found])


def _trained_on(connection: Connection, pool_id: str | None) -> pool_pb2.Device | None:
    """What the pool trains on: its first GPU, or its processor where it has none. Without its measurement, which is kept once."""
    pool = storage.find_pool(connection, pool_id) if pool_id else None
    if pool is None or not pool.devices:
        return None
    device = next((one for one in pool.devices if one.kind == pool_pb2.DEVICE_KIND_CUDA), pool.devices[0])
    device.ClearField("measurement")
    return device
