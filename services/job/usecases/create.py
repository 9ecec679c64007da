"""A job is accepted: checked against everything that is known, by preflight if it trains, then queued."""

from sqlalchemy import Connection
from tunesmith.config.v1 import job_configuration_pb2, method_pb2
from tunesmith.job.v1 import job_event_pb2, job_pb2, job_service_pb2
from tunesmith.provider.v1 import lowering_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.database import Database, now_ms
from services.chassis.failpoints import failpoint
from services.chassis.idempotency import RequestLog
from services.chassis.identity import OWNER, PROJECT
from services.chassis.ids import message_hash, new_id
from services.job import convert, domain, storage
from services.job.inputs import Registry
from services.job.preflight import SPEC, Preflight, figures, refuse
from services.job.usecases.export import prepare_export
from services.job.usecases.resume_from import inputs_to_go_on_with
from services.job.usecases.transition import add_event

REQUESTS = RequestLog(storage.requests, "CreateJob")


async def create_job(
    database: Database, registry: Registry, preflight: Preflight, request: job_service_pb2.CreateJobRequest
) -> job_service_pb2.CreateJobResponse:
    """Queue a job, or raise with everything that is wrong with it and store nothing.

    A repeated request_id answers what was answered first, even if the inputs are gone by now.
    """
    request_hash = message_hash(request)
    earlier = await database.read(lambda connection: _find_earlier(connection, request, request_hash))
    if earlier is not None:
        return earlier
    if request.WhichOneof("spec") == "export":
        job, inputs = await database.read(lambda connection: prepare_export(connection, request))
        predicted = job_pb2.JobFigures()
    else:
        job, predicted, inputs = await _prepare(registry, preflight, request)
    resume_from = None
    if request.from_artifact_id:
        inputs, resume_from = await database.read(
            lambda connection: inputs_to_go_on_with(connection, request.from_artifact_id, job)
        )
    response = await database.write(
        # Looked up again: a twin of this request may have been stored since the first look.
        lambda connection: REQUESTS.once(
            connection,
            PROJECT,
            request.request_id,
            request_hash,
            job_service_pb2.CreateJobResponse,
            lambda: _store(connection, job, predicted, inputs, resume_from),
        )
    )
    failpoint("create.committed")
    return response


async def _prepare(
    registry: Registry, preflight: Preflight, request: job_service_pb2.CreateJobRequest
) -> tuple[job_pb2.Job, job_pb2.JobFigures, door.Assignment]:
    """A job's definition, what is expected of it, and its inputs, all checked."""
    report = await preflight.report(request)
    refuse(report, accept_warnings=request.accept_warnings, strict=request.strict)
    job = job_pb2.Job(provider=request.provider, display_name=request.display_name, schema_version=domain.SCHEMA_VERSION)
    job.configuration.CopyFrom(request.configuration)
    job.resolved_configuration.CopyFrom(report.resolved_configuration)
    job.lowering.extend(report.lowering)
    inputs = await _inputs(registry, job.resolved_configuration)
    if not job.display_name:
        job.display_name = f"{inputs.base_model.display_name} on {inputs.training_dataset.display_name}"[:128]
    return job, figures(report), inputs


async def _inputs(registry: Registry, configuration: job_configuration_pb2.JobConfiguration) -> door.Assignment:
    """Models and datasets as they are now, for every attempt of the job."""
    inputs = door.Assignment()
    datasets = configuration.datasets
    inputs.base_model.CopyFrom(await registry.base_model(configuration.model.base_model, f"{SPEC}.model.base_model"))
    training = await registry.dataset(datasets.training_file_id, f"{SPEC}.datasets.training_file_id")
    inputs.training_dataset.CopyFrom(training)
    if datasets.HasField("validation_file_id"):
        validation = await registry.dataset(datasets.validation_file_id, f"{SPEC}.datasets.validation_file_id")
        inputs.validation_dataset.CopyFrom(validation)
    if configuration.method.objective == method_pb2.TRAINING_OBJECTIVE_DISTILLATION:
        teacher = configuration.method.distillation_config.teacher_model
        inputs.teacher_model.CopyFrom(await registry.base_model(teacher, f"{SPEC}.method.distillation_config.teacher_model"))
    return inputs


def _find_earlier(
    connection: Connection, request: job_service_pb2.CreateJobRequest, request_hash: str
) -> job_service_pb2.CreateJobResponse | None:
    return REQUESTS.find(connection, PROJECT, request.request_id, request_hash, job_service_pb2.CreateJobResponse)


def _store(
    connection: Connection,
    job: job_pb2.Job,
    predicted: job_pb2.JobFigures,
    inputs: door.Assignment,
    resume_from: str | None,
) -> job_service_pb2.CreateJobResponse:
    job_id = new_id()
    now = now_ms(connection)
    connection.execute(
        storage.jobs.insert().values(
            id=job_id,
            project=PROJECT,
            owner=OWNER,
            display_name=job.display_name,
            provider=job.provider,
            state=domain.name_of(domain.QUEUED),
            definition=job.SerializeToString(),
            inputs=inputs.SerializeToString(),
            resume_from=resume_from,
            predicted=predicted.SerializeToString(),
            schema_version=job.schema_version,
            attempt=0,
            lost_attempts=0,
            pause_requested=False,
            lease_epoch=0,
            report_sequence=0,
            event_sequence=0,
            create_time_ms=now,
            update_time_ms=now,
        )
    )
    add_event(connection, job_id, job_event_pb2.JOB_EVENT_TYPE_CREATED, f"Queued for {job.provider}.")
    for field in job.lowering:
        if field.action == lowering_pb2.LOWERING_ACTION_DROPPED:
            text = f"{field.field_path} does not act: {field.detail}"
            add_event(connection, job_id, job_event_pb2.JOB_EVENT_TYPE_FIELD_DROPPED, text)
    return job_service_pb2.CreateJobResponse(job=convert.job(storage.find_job(connection, job_id)))
