"""A change of state, its event and its effects: always together, in one transaction."""

from collections.abc import Sequence
from typing import Any

from google.rpc import status_pb2
from sqlalchemy import Connection, RowMapping
from tunesmith.job.v1 import job_event_pb2, job_pb2
from tunesmith.job.v1.job_event_pb2 import JobEventType
from tunesmith.preflight.v1 import finding_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.database import now_ms
from services.job import convert, domain, storage
from services.job.usecases.residuals import note_residual


def add_event(connection: Connection, job_id: str, event_type: JobEventType, message: str) -> None:
    """Append an event to a job, in the state the job has now."""
    add_events(connection, job_id, [door.ReportedEvent(type=event_type, message=message)])


def add_events(connection: Connection, job_id: str, events: Sequence[door.ReportedEvent]) -> None:
    """Append events to a job, in the state the job has now."""
    numbered = storage.number_events(connection, job_id, len(events))
    first = numbered["event_sequence"] - len(events) + 1
    rows = [
        {
            "job_id": job_id,
            "sequence": sequence,
            "type": JobEventType.Name(event.type),
            "message": event.message,
            "state": numbered["state"],
            "attempt": numbered["attempt"],
            "detail": event.detail.SerializeToString() if event.detail.fields else None,
            "create_time_ms": numbered["update_time_ms"],
        }
        for sequence, event in enumerate(events, first)
    ]
    storage.add_events(connection, rows)


def move(
    connection: Connection,
    row: RowMapping,
    state: domain.JobState,
    event_type: JobEventType,
    message: str,
    **changes: Any,
) -> None:
    """Bring a job into another state, with the event that tells of it.

    Raises FailedPrecondition, and changes nothing, if the job may not go there.
    """
    before = convert.state_of(row)
    domain.check_transition(before, state)
    now = now_ms(connection)
    if state not in domain.LEASED:
        changes |= {"lease_expires_ms": None, "estimated_remaining_seconds": None}
    if state == domain.RUNNING and row["start_time_ms"] is None:
        changes["start_time_ms"] = now
    if state in domain.TERMINAL:
        changes |= {"end_time_ms": now, "measured": _with_duration(row, now, changes.get("measured")), "pause_requested": False}
    if state == domain.SUCCEEDED:
        note_residual(connection, row, changes["measured"], now)
    if state in domain.FORGETFUL:
        storage.delete_training_state(connection, row["id"])
    storage.update_job(connection, row["id"], state=domain.name_of(state), **changes)
    add_event(connection, row["id"], event_type, message)


def fail(connection: Connection, row: RowMapping, status: status_pb2.Status, fix: finding_pb2.Fix | None = None) -> None:
    """End a job with a reason, and with what changes it should succeed, where that is known."""
    move(
        connection,
        row,
        domain.FAILED,
        job_event_pb2.JOB_EVENT_TYPE_FAILED,
        status.message,
        error=status.SerializeToString(),
        error_fix=fix.SerializeToString() if fix is not None else None,
    )


def _with_duration(row: RowMapping, end_ms: int, measured: bytes | None) -> bytes | None:
    """Measured figures with the time from RUNNING to now; unchanged for a job that never ran."""
    stored = measured if measured is not None else row["measured"]
    if row["start_time_ms"] is None:
        return stored
    figures = job_pb2.JobFigures.FromString(stored or b"")
    figures.duration_seconds = (end_ms - row["start_time_ms"]) / 1000
    return figures.SerializeToString()
