"""What to tell who ran out of memory: with what changes it should fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from google.rpc import error_details_pb2, status_pb2
from sqlalchemy import Connection
from tunesmith.job.v1 import job_pb2
from tunesmith.pool.v1 import pool_pb2
from tunesmith.preflight.v1 import finding_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.database import Database
from services.job import storage
from services.job.preflight import Preflight

REASON = "OUT_OF_MEMORY"

log = structlog.get_logger()


@dataclass(frozen=True)
class OutOfMemory:
    """How an attempt failed, in a sentence that names what should fit, and the changes themselves."""

    status: status_pb2.Status
    fix: finding_pb2.Fix


async def advise(database: Database, preflight: Preflight, request: door.ReportRequest) -> OutOfMemory | None:
    """Ask preflight what would fit, if the report says that an attempt ran out of memory. None if it doesn't, or nobody knows.

    Never raises: a report is taken whether or not there is advice.
    """
    if not _ran_out(request):
        return None
    try:
        job, device_bytes = await database.read(lambda connection: _look(connection, request.lease.job_id))
        if job.WhichOneof("spec") != "configuration":
            return None
        fix = await preflight.what_fits(job.provider, job.configuration, device_bytes)
    except Exception:
        log.exception("no_advice_after_out_of_memory", job=request.lease.job_id)
        return None
    if fix is None:
        return None
    status = status_pb2.Status()
    status.CopyFrom(request.outcome.failed)
    what, _, _ = status.message.partition(";")
    status.message = f"{what}; {fix.label[:1].lower()}{fix.label[1:]}: that should fit, and error_fix has the changes"
    return OutOfMemory(status, fix)


def _ran_out(request: door.ReportRequest) -> bool:
    if request.outcome.WhichOneof("kind") != "failed":
        return False
    info = error_details_pb2.ErrorInfo()
    return any(detail.Unpack(info) and info.reason == REASON for detail in request.outcome.failed.details)


def _look(connection: Connection, job_id: str) -> tuple[job_pb2.Job, int]:
    """A job's definition with its provider, and the memory of the device that it ran on; 0 if the pool does not say."""
    row = storage.find_job(connection, job_id)
    job = job_pb2.Job.FromString(row["definition"])
    job.provider = row["provider"]
    pool = storage.find_pool(connection, row["pool_id"]) if row["pool_id"] else None
    return job, _device_bytes(pool.devices if pool is not None else ())


def _device_bytes(devices: Sequence[pool_pb2.Device]) -> int:
    """Of the smallest GPU, or of the processor where there is none."""
    gpus = [device for device in devices if device.kind == pool_pb2.DEVICE_KIND_CUDA]
    return min((device.memory_bytes for device in gpus or devices), default=0)
