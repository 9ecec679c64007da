"""What a job says about the adapter it trained: its base model and its figures."""

import grpc
from sqlalchemy import Connection
from tunesmith.job.v1 import artifact_pb2, job_pb2, job_service_pb2
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub
from tunesmith.registry.v1 import base_model_pb2

from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.chassis.identity import PROJECT
from services.registry import convert, storage
from services.registry.importing.artifact_set import find_set, told
from services.registry.importing.refused import Refused

_ARTIFACT = "artifact:"
# The others keep their names.
_METRIC_NAMES = {"last_evaluation_loss": "evaluation_loss"}


async def job_of(jobs: grpc.aio.Channel, job_id: str) -> job_pb2.Job:
    """The job. Raises what the job service answers."""
    try:
        response = await JobServiceStub(jobs).GetJob(job_service_pb2.GetJobRequest(id=job_id))
    except grpc.aio.AioRpcError as error:
        raise told(error) from error
    return response.job


async def base_model_of(database: Database, jobs: grpc.aio.Channel, job: job_pb2.Job) -> base_model_pb2.BaseModel:
    """The base model a job was trained on. Raises Refused if it is not registered any more."""
    name = job.configuration.model.base_model
    try:
        if name.startswith(_ARTIFACT):
            source = await find_set(jobs, name.removeprefix(_ARTIFACT))
            row = await database.read(lambda connection: storage.base_model_of_set(connection, PROJECT, source.set_id))
            if row is not None:
                return convert.base_model(row)
        else:
            return await find_base_model(database, name)
    except NotFound:
        pass
    raise Refused(f"job {job.id} was trained on {name!r}, which is not registered any more; register it again")


async def find_base_model(database: Database, name: str) -> base_model_pb2.BaseModel:
    """A base model by id or hub name. Raises NotFound."""

    def find(connection: Connection) -> base_model_pb2.BaseModel:
        return convert.base_model(storage.find_base_model(connection, PROJECT, name))

    return await database.read(find)


def metrics_of(job: job_pb2.Job, kind: "artifact_pb2.ArtifactKind") -> dict[str, float]:
    """The figures of a job by name. Those of a checkpoint are not known: the job went on after it."""
    if kind != artifact_pb2.ARTIFACT_KIND_ADAPTER:
        return {}
    return {_METRIC_NAMES.get(field.name, field.name): float(value) for field, value in job.measured.ListFields()}
