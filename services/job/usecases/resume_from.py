"""Going on from a checkpoint that a person chose, or from where a job stood that failed."""

from sqlalchemy import Connection, RowMapping
from tunesmith.job.v1 import artifact_pb2, job_event_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.errors import FailedPrecondition
from services.job import convert, domain, storage
from services.job.usecases.transition import move

_CHECKPOINT = artifact_pb2.ArtifactKind.Name(artifact_pb2.ARTIFACT_KIND_CHECKPOINT)
_CHECKPOINT_STATE = artifact_pb2.ArtifactKind.Name(artifact_pb2.ARTIFACT_KIND_CHECKPOINT_STATE)
_TRAINING_STATE = artifact_pb2.ArtifactKind.Name(artifact_pb2.ARTIFACT_KIND_TRAINING_STATE)


def resume_from_checkpoint(connection: Connection, row: RowMapping, artifact_id: str) -> None:
    """Queue a paused job so that it goes on from one of its own checkpoints.

    Raises NotFound, or FailedPrecondition with one of the reasons JOB_NOT_PAUSED, ANOTHER_JOBS_CHECKPOINT, NO_STATE.
    """
    if convert.state_of(row) != domain.PAUSED:
        text = "only a paused job goes on from a checkpoint; pause it first"
        raise FailedPrecondition("JOB_NOT_PAUSED", text, {"state": row["state"]})
    state = _state_of(connection, artifact_id)
    if state["job_id"] != row["id"]:
        text = f"the checkpoint is one of job {state['job_id']}; create a job with from_artifact_id to go on from it"
        raise FailedPrecondition("ANOTHER_JOBS_CHECKPOINT", text)
    if state["kind"] != _TRAINING_STATE:
        # It lies behind the checkpoint. Its files go with the job's end.
        storage.delete_training_state(connection, row["id"])
        storage.update_job(connection, row["id"], resume_from=_name_of(state))
    text = f"Resumed from step {state['step']}; what was trained behind it is trained again."
    move(connection, row, domain.QUEUED, job_event_pb2.JOB_EVENT_TYPE_RESUMED, text)


def inputs_to_go_on_with(connection: Connection, artifact_id: str, job: job_pb2.Job) -> tuple[door.Assignment, str]:
    """The inputs of the job that an artifact belongs to, for a new job that goes on from it, and what to go on from.

    Raises NotFound, or FailedPrecondition with one of the reasons NO_STATE, STATE_CHANGES, ANOTHER_CONFIGURATION.
    """
    state = _state_of(connection, artifact_id)
    source = storage.find_job(connection, state["job_id"])
    if state["kind"] == _TRAINING_STATE and convert.state_of(source) != domain.FAILED:
        text = f"job {source['id']} has not failed, so its training state changes or goes; go on from one of its checkpoints"
        raise FailedPrecondition("STATE_CHANGES", text)
    trained = job_pb2.Job.FromString(source["definition"]).resolved_configuration
    if trained != job.resolved_configuration:
        text = (
            f"job {source['id']} was trained with another configuration, and no run can go on bit for bit with two; "
            "send the configuration of that job, or import the checkpoint as a base model and train on"
        )
        raise FailedPrecondition("ANOTHER_CONFIGURATION", text)
    return door.Assignment.FromString(source["inputs"]), _name_of(state)


def _state_of(connection: Connection, artifact_id: str) -> RowMapping:
    """A file of the training state that an artifact is part of, or lies beside."""
    file = storage.find_artifact(connection, artifact_id)
    if file["kind"] in (_CHECKPOINT_STATE, _TRAINING_STATE):
        return file
    if file["kind"] == _CHECKPOINT:
        files = storage.named_set(connection, file["job_id"], f"{file['set_name']}-state")
        if files:
            return files[0]
    text = (
        f"{file['set_name']} has weights and no training state beside it, so nothing can go on from it; choose a checkpoint that "
        "has one, or import the weights as a base model"
    )
    raise FailedPrecondition("NO_STATE", text)


def _name_of(state: RowMapping) -> str:
    return f"{state['job_id']}/{state['set_name']}"
