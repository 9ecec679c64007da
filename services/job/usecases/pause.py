"""A person has a job wait, and go on."""

from sqlalchemy import Connection, RowMapping
from tunesmith.job.v1 import job_event_pb2

from services.chassis.errors import FailedPrecondition
from services.job import convert, domain, storage
from services.job.usecases.resume_from import resume_from_checkpoint
from services.job.usecases.transition import add_event, move


def pause_job(connection: Connection, job_id: str) -> None:
    """Pause a job that is queued; ask the worker of one that runs. A job that waits or was asked stays as it is.

    Raises FailedPrecondition, reason JOB_IS_ENDING, for a job that is over or being cancelled.
    """
    row = storage.find_job(connection, job_id)
    refuse_ending(row, "paused")
    state = convert.state_of(row)
    if state == domain.QUEUED:
        move(connection, row, domain.PAUSED, job_event_pb2.JOB_EVENT_TYPE_PAUSED, "Paused before it was started.")
    elif state == domain.RUNNING and not row["pause_requested"]:
        storage.update_job(connection, job_id, pause_requested=True)
        text = "Pause requested; the worker stores where it stands and stops at its next step."
        add_event(connection, job_id, job_event_pb2.JOB_EVENT_TYPE_PAUSE_REQUESTED, text)


def resume_job(connection: Connection, job_id: str, from_artifact_id: str = "") -> None:
    """Queue a paused job; take back a pause that has not happened yet. A job that waits for no person stays as it is.

    A checkpoint of the job to go on from may be named, see `resume_from`.

    Raises FailedPrecondition, reason JOB_IS_ENDING, for a job that is over or being cancelled.
    """
    row = storage.find_job(connection, job_id)
    refuse_ending(row, "resumed")
    if from_artifact_id:
        resume_from_checkpoint(connection, row, from_artifact_id)
    elif convert.state_of(row) == domain.PAUSED:
        move(connection, row, domain.QUEUED, job_event_pb2.JOB_EVENT_TYPE_RESUMED, "Resumed; queued for another attempt.")
    elif row["pause_requested"]:
        storage.update_job(connection, job_id, pause_requested=False)
        add_event(connection, job_id, job_event_pb2.JOB_EVENT_TYPE_RESUMED, "The pause was taken back.")


def end_paused(connection: Connection, row: RowMapping) -> None:
    """The worker of a running job stopped for a pause, which may have been taken back meanwhile."""
    if row["pause_requested"]:
        text = "Paused; what was trained is kept."
        move(connection, row, domain.PAUSED, job_event_pb2.JOB_EVENT_TYPE_PAUSED, text, pause_requested=False)
    else:
        text = "The worker had stopped for the pause that was taken back; queued for another attempt."
        move(connection, row, domain.QUEUED, job_event_pb2.JOB_EVENT_TYPE_RESUMED, text)


def refuse_ending(row: RowMapping, wanted: str) -> None:
    """Raise unless a person may still have the job wait or go on."""
    state = convert.state_of(row)
    if state in domain.TERMINAL or state == domain.CANCELLING:
        name = domain.name_of(state)
        text = f"the job is {name} and can't be {wanted} any more; create it again to train anew"
        raise FailedPrecondition("JOB_IS_ENDING", text, {"state": name})
