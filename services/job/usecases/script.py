"""A file that does what a job does without Tunesmith."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection
from tunesmith.job.v1 import job_service_pb2 as messages
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.errors import FailedPrecondition
from services.job import convert, storage
from workers.providers.axolotl.provider import AXOLOTL
from workers.providers.axolotl.script import axolotl_script
from workers.providers.local.provider import LOCAL
from workers.providers.local.script.script import python_script
from workers.providers.provider import REFUSED, FieldLowering, Provider
from workers.providers.script import Script, ScriptedJob

REASON = "NO_SCRIPT"


@dataclass(frozen=True)
class _Writer:
    """What a format is written by, and whose configuration it is."""

    provider: Provider
    write: Callable[[ScriptedJob], Script]


WRITERS: Mapping[int, _Writer] = {
    messages.SCRIPT_FORMAT_UNSPECIFIED: _Writer(LOCAL, python_script),
    messages.SCRIPT_FORMAT_PYTHON: _Writer(LOCAL, python_script),
    messages.SCRIPT_FORMAT_AXOLOTL: _Writer(AXOLOTL, axolotl_script),
}


def job_script(connection: Connection, request: messages.GetJobScriptRequest) -> messages.GetJobScriptResponse:
    """The script of a job, made from what was stored when it was created.

    Raises FailedPrecondition for a job that trains nothing, or that can't be written in this format.
    """
    job, writer = _scripted(connection, request.id), WRITERS[request.format]
    refusals = _refusals(job, writer.provider)
    if refusals:
        told = "; ".join(f"{one.field_path}: {one.detail}" for one in refusals)
        raise FailedPrecondition(REASON, f"job {job.id} can't be written for {writer.provider.display_name}: {told}")
    try:
        script = writer.write(job)
    except ValueError as error:
        raise FailedPrecondition(REASON, f"job {job.id} can't be written as a script: {error}") from error
    return messages.GetJobScriptResponse(file_name=script.file_name, content=script.content, differences=script.differences)


def _scripted(connection: Connection, job_id: str) -> ScriptedJob:
    row = storage.find_job(connection, job_id)
    job = convert.job(row)
    if not job.HasField("resolved_configuration"):
        raise FailedPrecondition(REASON, f"job {job_id} trains nothing; ask for the script of the job whose result it exports")
    inputs = door.Assignment.FromString(row["inputs"])
    return ScriptedJob(
        job.id,
        job.display_name,
        job.provider,
        job.resolved_configuration,
        inputs.base_model,
        inputs.training_dataset,
        inputs.validation_dataset if inputs.HasField("validation_dataset") else None,
        inputs.teacher_model if inputs.HasField("teacher_model") else None,
    )


def _refusals(job: ScriptedJob, provider: Provider) -> list[FieldLowering]:
    """What the provider would not have taken: the job's own may be another one."""
    datasets, objective = job.configuration.datasets, job.configuration.method.objective
    found = [one for one in provider.lower(job.configuration) if one.action == REFUSED]
    found += provider.refuse_dataset(job.training_dataset.format, datasets.strategy, "datasets.training_file_id", objective)
    if job.validation_dataset is not None:
        found += provider.refuse_dataset(
            job.validation_dataset.format, datasets.strategy, "datasets.validation_file_id", objective
        )
    return found
