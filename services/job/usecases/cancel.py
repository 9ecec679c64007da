"""A person stops a job."""

from google.rpc import code_pb2, status_pb2
from sqlalchemy import Connection
from tunesmith.job.v1 import job_event_pb2

from services.chassis.errors import FailedPrecondition
from services.job import convert, domain, storage
from services.job.usecases.transition import move

CANCELLED_BY_PERSON = status_pb2.Status(code=code_pb2.CANCELLED, message="Cancelled by a person.")


def cancel_job(connection: Connection, job_id: str) -> None:
    """Cancel a job that waits; ask the worker of one that runs. A job that is being cancelled stays as it is.

    Raises FailedPrecondition, reason JOB_IS_OVER, for a terminal job.
    """
    row = storage.find_job(connection, job_id)
    state = convert.state_of(row)
    if state == domain.CANCELLING:
        return
    if state in domain.TERMINAL:
        text = f"the job is {domain.name_of(state)}: it is over and can't be cancelled; nothing needs doing"
        raise FailedPrecondition("JOB_IS_OVER", text, {"state": domain.name_of(state)})
    if state == domain.RUNNING:
        text = "Cancellation requested; the worker stops at its next step."
        move(connection, row, domain.CANCELLING, job_event_pb2.JOB_EVENT_TYPE_CANCEL_REQUESTED, text)
    else:
        end_cancelled(connection, job_id)


def end_cancelled(connection: Connection, job_id: str) -> None:
    """The end of a job that a person cancelled."""
    row = storage.find_job(connection, job_id)
    error = CANCELLED_BY_PERSON.SerializeToString()
    move(connection, row, domain.CANCELLED, job_event_pb2.JOB_EVENT_TYPE_CANCELLED, CANCELLED_BY_PERSON.message, error=error)
