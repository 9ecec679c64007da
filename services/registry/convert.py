"""Rows to protos and back: the only place where the two meet."""

from typing import Any

from sqlalchemy import RowMapping
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2

from services.registry import storage
from services.registry.statistics.estimate import estimated_tokens

Row = RowMapping


def dataset(row: Row) -> dataset_pb2.Dataset:
    """A Dataset."""
    return complete(dataset_pb2.Dataset.FromString(row["definition"]))


def complete(message: dataset_pb2.Dataset) -> dataset_pb2.Dataset:
    """A Dataset with what versions before 0.2 did not store, and what follows from what they did."""
    if not message.HasField("update_time"):
        message.update_time.CopyFrom(message.create_time)
    if not message.HasField("integrity"):
        # They hashed rows while they stored them, too.
        message.integrity.status = dataset_pb2.INTEGRITY_STATUS_VERIFIED
        message.integrity.check_time.CopyFrom(message.create_time)
    if not message.estimated_token_count:
        message.estimated_token_count = estimated_tokens(message.size_bytes)
    return message


def dataset_row(message: dataset_pb2.Dataset) -> dict[str, Any]:
    """A Dataset as it is stored: whole, beside what is asked for by column."""
    return {
        "id": message.id,
        "project": message.project,
        "owner": message.owner,
        "display_name": message.display_name,
        "version": message.version,
        "format": dataset_pb2.DatasetFormat.Name(message.format),
        "source_sha256": message.source_sha256,
        "parent_id": message.parent_id or None,
        "definition": message.SerializeToString(),
        "create_time_ms": message.create_time.ToMilliseconds(),
    }


def base_model(row: Row) -> base_model_pb2.BaseModel:
    """A BaseModel."""
    return base_model_pb2.BaseModel.FromString(row["definition"])


def base_model_row(message: base_model_pb2.BaseModel, artifact_set_id: str | None) -> dict[str, Any]:
    """A BaseModel as it is stored: whole, beside what is asked for by column."""
    return {
        "id": message.id,
        "project": message.project,
        "owner": message.owner,
        "job_id": message.lineage.job_id or None,
        "artifact_set_id": artifact_set_id,
        "create_time_ms": message.create_time.ToMilliseconds(),
        **base_model_columns(message),
    }


def base_model_columns(message: base_model_pb2.BaseModel) -> dict[str, Any]:
    """The columns of a BaseModel that a change may change."""
    return {
        "display_name": message.display_name,
        # Unique where there is one; the database takes any number of rows that have none.
        "hub_repo": message.hub_repo or None,
        "family": message.family,
        "stage": base_model_pb2.Stage.Name(message.stage),
        "lifecycle": base_model_pb2.Lifecycle.Name(message.lifecycle),
        "modality": base_model_pb2.Modality.Name(message.modality),
        "trainable": message.trainable,
        "search_text": "\n".join((message.display_name, message.hub_repo, message.family)).lower(),
        "definition_version": storage.BASE_MODEL_VERSION,
        "definition": message.SerializeToString(),
    }
