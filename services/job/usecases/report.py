"""What workers report, applied once."""

from typing import Any

from sqlalchemy import Connection, RowMapping
from tunesmith.job.v1 import job_event_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.errors import InvalidArgument
from services.job import convert, domain, storage
from services.job.usecases.cancel import end_cancelled
from services.job.usecases.histograms import store_histograms
from services.job.usecases.lease import directive, refuse_lost
from services.job.usecases.out_of_memory import OutOfMemory
from services.job.usecases.pause import end_paused
from services.job.usecases.transition import add_events, fail, move


def apply_report(
    connection: Connection, request: door.ReportRequest, lease_ms: int, advice: OutOfMemory | None = None
) -> door.Directive:
    """Write down a report: figures, events, points and perhaps the end of the attempt. The lease then lasts `lease_ms` longer.

    `advice` is what to do about an attempt that ran out of memory, if anybody knew.

    A report that was applied before changes nothing, also after the job's end, because its acknowledgement may have been lost.
    """
    job_id = request.lease.job_id
    shown = request.HasField("progress") or request.HasField("measured")
    row = storage.take_report(connection, request.lease, request.sequence, lease_ms, shown=shown, **_progress(request))
    if row is None:
        return _not_taken(connection, request)
    if request.HasField("measured"):
        storage.update_job(connection, job_id, measured=_measured(row, request))
    _add_points(connection, row["attempt"], request)
    store_histograms(connection, job_id, request.histograms)
    if request.events:
        add_events(connection, job_id, request.events)
    if request.HasField("outcome"):
        _end_attempt(connection, job_id, request.outcome, advice)
    return directive(row)


def _not_taken(connection: Connection, request: door.ReportRequest) -> door.Directive:
    """Answer a report that was applied before; raise for any other."""
    row = storage.find_job(connection, request.lease.job_id)
    if row["lease_epoch"] == request.lease.epoch and request.sequence <= row["report_sequence"]:
        return directive(row)
    refuse_lost(row, request.lease)
    text = f"report {request.sequence} came after report {row['report_sequence']}; send {row['report_sequence'] + 1} next"
    raise InvalidArgument([("sequence", text)])


def _progress(request: door.ReportRequest) -> dict[str, Any]:
    if not request.HasField("progress"):
        return {}
    progress = request.progress
    remaining = progress.estimated_remaining_seconds if progress.HasField("estimated_remaining_seconds") else None
    return {
        "step": progress.step,
        "total_steps": progress.total_steps or None,
        "epoch": progress.epoch,
        "estimated_remaining_seconds": remaining,
    }


def _measured(row: RowMapping, request: door.ReportRequest) -> bytes:
    figures = job_pb2.JobFigures.FromString(row["measured"] or b"")
    figures.MergeFrom(request.measured)
    return figures.SerializeToString()


def _add_points(connection: Connection, attempt: int, request: door.ReportRequest) -> None:
    if not request.metrics:
        return
    rows = [
        {
            "job_id": request.lease.job_id,
            "key": chunk.key,
            "attempt": attempt,
            "report_sequence": request.sequence,
            "chunk": chunk.SerializeToString(),
        }
        for chunk in request.metrics
    ]
    storage.add_chunks(connection, rows)


def _end_attempt(connection: Connection, job_id: str, outcome: door.Outcome, advice: OutOfMemory | None) -> None:
    row = storage.find_job(connection, job_id)
    match outcome.WhichOneof("kind"):
        case "succeeded":
            move(connection, row, domain.SUCCEEDED, job_event_pb2.JOB_EVENT_TYPE_SUCCEEDED, "Done; the artifacts are complete.")
        case "failed" if advice is not None:
            fail(connection, row, advice.status, advice.fix)
        case "failed":
            fail(connection, row, outcome.failed)
        case "cancelled":
            end_cancelled(connection, job_id)
        case "paused" if convert.state_of(row) == domain.CANCELLING:
            # Somebody cancelled the job while its worker was stopping for a pause.
            end_cancelled(connection, job_id)
        case "paused":
            end_paused(connection, row)
