"""A job is accepted: checked against everything that is known, then queued."""

from collections.abc import Iterable

from sqlalchemy import Connection
from tunesmith.config.v1 import datasets_pb2, job_configuration_pb2
from tunesmith.job.v1 import job_event_pb2, job_pb2, job_service_pb2
from tunesmith.provider.v1 import lowering_pb2
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.database import Database, now_ms
from services.chassis.errors import FailedPrecondition, InvalidArgument
from services.chassis.failpoints import failpoint
from services.chassis.idempotency import RequestLog
from services.chassis.identity import OWNER, PROJECT
from services.chassis.ids import message_hash, new_id
from services.chassis.knobs import resolved
from services.job import convert, domain, storage
from services.job.inputs import Registry, refuse_unfit
from services.job.usecases.transition import add_event
from workers.providers import PROVIDERS, names
from workers.providers.provider import Provider

# Field paths in answers are paths in the request.
SPEC = "configuration."
REQUESTS = RequestLog(storage.requests, "CreateJob")


async def create_job(
    database: Database, registry: Registry, request: job_service_pb2.CreateJobRequest
) -> job_service_pb2.CreateJobResponse:
    """Queue a job, or raise with everything that is wrong with it and store nothing.

    A repeated request_id answers what was answered first, even if the inputs are gone by now.
    """
    request_hash = message_hash(request)
    earlier = await database.read(lambda connection: _find_earlier(connection, request, request_hash))
    if earlier is not None:
        return earlier
    job, inputs = await _prepare(registry, request)
    response = await database.write(
        # Looked up again: a twin of this request may have been stored since the first look.
        lambda connection: REQUESTS.once(
            connection,
            PROJECT,
            request.request_id,
            request_hash,
            job_service_pb2.CreateJobResponse,
            lambda: _store(connection, job, inputs),
        )
    )
    failpoint("create.committed")
    return response


async def _prepare(registry: Registry, request: job_service_pb2.CreateJobRequest) -> tuple[job_pb2.Job, door.Assignment]:
    """A job's definition and its inputs, all checked."""
    provider = PROVIDERS.get(request.provider)
    if provider is None:
        raise InvalidArgument([("provider", f"{request.provider!r} is no provider; {names()}")])
    job = job_pb2.Job(provider=provider.id, display_name=request.display_name, schema_version=domain.SCHEMA_VERSION)
    job.configuration.CopyFrom(request.configuration)
    job.resolved_configuration.CopyFrom(resolved(request.configuration))
    job.lowering.extend(provider.lower(job.resolved_configuration, job.configuration))
    _refuse(job.lowering, strict=request.strict)

    inputs = await _inputs(registry, job.resolved_configuration)
    _check_inputs(provider, job.resolved_configuration, inputs)
    if not job.display_name:
        job.display_name = f"{inputs.base_model.display_name} on {inputs.training_dataset.display_name}"[:128]
    _confirm_warnings(request, inputs.training_dataset)
    return job, inputs


def _refuse(lowering: Iterable[lowering_pb2.FieldLowering], *, strict: bool) -> None:
    """Raise for each field the provider refuses and, if the request is strict, for each it would drop."""
    refusals = {lowering_pb2.LOWERING_ACTION_REFUSED} | ({lowering_pb2.LOWERING_ACTION_DROPPED} if strict else set())
    refused = [(f"{SPEC}{field.field_path}", field.detail) for field in lowering if field.action in refusals]
    if refused:
        raise InvalidArgument(refused)


async def _inputs(registry: Registry, configuration: job_configuration_pb2.JobConfiguration) -> door.Assignment:
    inputs = door.Assignment()
    datasets = configuration.datasets
    model_path = f"{SPEC}model.base_model"
    inputs.base_model.CopyFrom(await registry.base_model(configuration.model.base_model, model_path))
    training_path = f"{SPEC}datasets.training_file_id"
    inputs.training_dataset.CopyFrom(await registry.dataset(datasets.training_file_id, training_path))
    if datasets.HasField("validation_file_id"):
        validation_path = f"{SPEC}datasets.validation_file_id"
        inputs.validation_dataset.CopyFrom(await registry.dataset(datasets.validation_file_id, validation_path))
    return inputs


def _check_inputs(provider: Provider, configuration: job_configuration_pb2.JobConfiguration, inputs: door.Assignment) -> None:
    """Raise with all that does not fit together: model, datasets, strategy, modules."""
    violations = refuse_unfit(configuration, inputs.base_model, SPEC)
    strategy = configuration.datasets.strategy
    datasets = {"training_file_id": inputs.training_dataset, "validation_file_id": inputs.validation_dataset}
    for field, dataset in datasets.items():
        if dataset.id:
            refusals = provider.refuse_dataset(dataset.format, strategy, f"datasets.{field}")
            violations += [(f"{SPEC}{refusal.field_path}", refusal.detail) for refusal in refusals]
    if _needs_template(strategy, inputs.training_dataset) and not inputs.base_model.chat_template:
        violations.append((f"{SPEC}datasets.strategy", _no_template(inputs.base_model)))
    if inputs.validation_dataset.id and inputs.validation_dataset.format != inputs.training_dataset.format:
        text = "the validation dataset has another format than the training dataset; upload both in one format"
        violations.append((f"{SPEC}datasets.validation_file_id", text))
    if violations:
        raise InvalidArgument(list(dict.fromkeys(violations)))


def _needs_template(strategy: datasets_pb2.DatasetStrategy, dataset: dataset_pb2.Dataset) -> bool:
    chat_formats = (dataset_pb2.DATASET_FORMAT_MESSAGES, dataset_pb2.DATASET_FORMAT_SHAREGPT)
    return strategy == datasets_pb2.DATASET_STRATEGY_CHAT or dataset.format in chat_formats


def _no_template(base_model: base_model_pb2.BaseModel) -> str:
    return (
        f"{base_model.display_name} has no chat template, so it can't be trained on messages; "
        "upload prompt and completion rows, or choose a model that has one"
    )


def _confirm_warnings(request: job_service_pb2.CreateJobRequest, dataset: dataset_pb2.Dataset) -> None:
    if dataset.row_count < domain.FEW_ROWS and not request.accept_warnings:
        text = (
            f"the training dataset has {dataset.row_count} rows, and fewer than {domain.FEW_ROWS} teach a model little; "
            "add rows, or send accept_warnings: true to train all the same"
        )
        raise FailedPrecondition("WARNINGS_NOT_ACCEPTED", text, {"field_path": f"{SPEC}datasets.training_file_id"})


def _find_earlier(
    connection: Connection, request: job_service_pb2.CreateJobRequest, request_hash: str
) -> job_service_pb2.CreateJobResponse | None:
    return REQUESTS.find(connection, PROJECT, request.request_id, request_hash, job_service_pb2.CreateJobResponse)


def _store(connection: Connection, job: job_pb2.Job, inputs: door.Assignment) -> job_service_pb2.CreateJobResponse:
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
