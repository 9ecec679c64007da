"""What an export is made of: checked when it is created, and found again for each attempt."""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping
from tunesmith.config.v1 import export_configuration_pb2, method_pb2
from tunesmith.job.v1 import artifact_pb2, job_pb2, job_service_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.errors import FailedPrecondition, InvalidArgument, NotFound
from services.job import convert, domain, storage
from workers.providers.credentials import TOKEN_RULE, is_token_variable

SPEC = "export"
PROVIDER = "local"
# What can be made into something else.
SOURCE_KINDS = (
    artifact_pb2.ARTIFACT_KIND_ADAPTER,
    artifact_pb2.ARTIFACT_KIND_MODEL,
    artifact_pb2.ARTIFACT_KIND_CHECKPOINT,
)
# Their weights are tokens put before the input, and belong into no matrix of the base model.
SOFT_PROMPTS = {
    method_pb2.TRAINING_METHOD_PROMPT_TUNING,
    method_pb2.TRAINING_METHOD_PREFIX_TUNING,
    method_pb2.TRAINING_METHOD_P_TUNING,
}
LABELS = {
    export_configuration_pb2.EXPORT_FORMAT_ADAPTER: "adapter on a hub",
    export_configuration_pb2.EXPORT_FORMAT_MERGED: "merged model",
    export_configuration_pb2.EXPORT_FORMAT_GGUF: "GGUF",
    export_configuration_pb2.EXPORT_FORMAT_ONNX: "ONNX",
}
_ADAPTER_FILE = "adapter_config.json"


def prepare_export(connection: Connection, request: job_service_pb2.CreateJobRequest) -> tuple[job_pb2.Job, door.Assignment]:
    """An export's definition, and what each of its attempts is given. Raises InvalidArgument with everything that is wrong."""
    if request.provider != PROVIDER:
        raise InvalidArgument([("provider", f"only {PROVIDER} exports; send provider: {PROVIDER}")])
    files = _set_of(connection, request.export.artifact_id)
    source = storage.find_job(connection, files[0]["job_id"])
    job = job_pb2.Job(provider=request.provider, display_name=request.display_name, schema_version=domain.SCHEMA_VERSION)
    job.export.CopyFrom(request.export)
    job.resolved_export.CopyFrom(request.export)
    job.resolved_export.artifact_id = files[0]["set_id"]
    gguf = export_configuration_pb2.EXPORT_FORMAT_GGUF
    if request.export.format == gguf and not request.export.HasField("gguf_type"):
        job.resolved_export.gguf_type = export_configuration_pb2.GGUF_TYPE_F16
    inputs = door.Assignment(export_source=_source(source, files))
    inputs.base_model.CopyFrom(door.Assignment.FromString(source["inputs"]).base_model)
    refuse_impossible(job.resolved_export, inputs.export_source)
    if not job.display_name:
        what = f" as {LABELS[request.export.format]}"
        job.display_name = source["display_name"][: 128 - len(what)] + what
    return job, inputs


def source_file(connection: Connection, row: RowMapping, path: str) -> RowMapping:
    """One file of what a job exports. Raises NotFound, or FailedPrecondition if it was replaced since the job was created."""
    source = door.Assignment.FromString(row["inputs"]).export_source
    announced = next((file for file in source.files if file.path == path), None)
    if announced is None:
        raise NotFound("file of the export's source", path, "the assignment lists those there are")
    stored = storage.find_file(connection, source.job.id, f"{source.name}/{path}")
    if stored is None or stored["sha256"] != announced.sha256:
        text = f"{source.name} of job {source.job.id} was replaced by a later attempt's; create the export again"
        raise FailedPrecondition("EXPORT_SOURCE_REPLACED", text)
    return stored


def _set_of(connection: Connection, artifact_id: str) -> Sequence[RowMapping]:
    try:
        return storage.set_of(connection, artifact_id)
    except NotFound as error:
        raise InvalidArgument([(f"{SPEC}.artifact_id", error.message)]) from error


def _source(source: RowMapping, files: Sequence[RowMapping]) -> door.ExportSource:
    message = door.ExportSource(kind=files[0]["kind"], name=files[0]["set_name"], step=files[0]["step"], job=convert.job(source))
    for file in files:
        path = file["path"].removeprefix(f"{file['set_name']}/")
        message.files.add(path=path, size_bytes=file["size_bytes"], sha256=file["sha256"])
    return message


def refuse_impossible(export: export_configuration_pb2.ExportConfiguration, source: door.ExportSource) -> None:
    """Raise InvalidArgument with every reason why an export can't be made of its source."""
    if source.kind not in SOURCE_KINDS:
        kind = artifact_pb2.ArtifactKind.Name(source.kind).removeprefix("ARTIFACT_KIND_").lower().replace("_", " ")
        text = f"is a {kind}, and only an adapter, a model or a checkpoint can be exported; name one of those"
        raise InvalidArgument([(f"{SPEC}.artifact_id", text)])
    problems = []
    adapter = any(file.path == _ADAPTER_FILE for file in source.files)
    if export.format == export_configuration_pb2.EXPORT_FORMAT_ADAPTER:
        if not adapter:
            problems.append((f"{SPEC}.format", f"{source.name} is a whole model and no adapter; set format to MERGED"))
        if not export.HasField("huggingface"):
            text = "names the repository that an adapter is pushed to; set it, or download the adapter as it is"
            problems.append((f"{SPEC}.huggingface", text))
    elif source.job.resolved_configuration.method.type in SOFT_PROMPTS:
        text = "a soft prompt can't be merged into the weights of its model; set format to ADAPTER, or download it as it is"
        problems.append((f"{SPEC}.format", text))
    credential = export.huggingface.credential_id
    if credential and not is_token_variable(credential):
        problems.append((f"{SPEC}.huggingface.credential_id", TOKEN_RULE))
    if problems:
        raise InvalidArgument(problems)
