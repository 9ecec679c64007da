"""Exports: what `create_job` is told, out of what people say."""

from collections.abc import Sequence
from typing import Any

from tunesmith.client.errors import NotFound, Violation, invalid
from tunesmith.client.requests import parsed
from tunesmith.config.v1 import export_configuration_pb2
from tunesmith.job.v1 import artifact_pb2

# The only one that exports.
PROVIDER = "local"
FORMAT_PREFIX, TYPE_PREFIX = "EXPORT_FORMAT_", "GGUF_TYPE_"
_TRAINED = (artifact_pb2.ARTIFACT_KIND_ADAPTER, artifact_pb2.ARTIFACT_KIND_MODEL)

Format = export_configuration_pb2.ExportFormat | int | str
Type = export_configuration_pb2.GgufType | int | str


def export_configuration(
    artifact_id: str, format: Format, gguf_type: Type | None, push_to: str | None, credential_id: str | None
) -> export_configuration_pb2.ExportConfiguration:
    """An export of a set of artifacts. Formats and types may be named in short: `gguf`, `q8_0`. Raises InvalidArgument."""
    if credential_id and not push_to:
        raise invalid([Violation("credential_id", "opens a repository that is pushed to; name one as push_to")])
    fields: dict[str, Any] = {"artifact_id": artifact_id, "format": _named(format, FORMAT_PREFIX)}
    if gguf_type is not None:
        fields["gguf_type"] = _named(gguf_type, TYPE_PREFIX)
    if push_to:
        fields["huggingface"] = {"output_repo_name": push_to} | ({"credential_id": credential_id} if credential_id else {})
    return parsed(export_configuration_pb2.ExportConfiguration, fields)


def result_of(job_id: str, artifacts: Sequence[artifact_pb2.Artifact]) -> str:
    """The id of the set that a job trained, or merged. Raises NotFound."""
    trained = next((artifact.set_id for artifact in artifacts if artifact.kind in _TRAINED), None)
    if trained is None:
        text = f"job {job_id} has no adapter and no model to export; `tunesmith jobs artifacts {job_id}` lists what it has"
        raise NotFound(text)
    return trained


def _named(value: int | str, prefix: str) -> int | str:
    short = isinstance(value, str) and not value.upper().startswith(prefix)
    return f"{prefix}{str(value).upper().replace('-', '_')}" if short else value
