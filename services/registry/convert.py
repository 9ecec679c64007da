"""Rows to protos and back: the only place where the two meet."""

from typing import Any

from sqlalchemy import RowMapping
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2

Row = RowMapping


def dataset(row: Row) -> dataset_pb2.Dataset:
    """A Dataset."""
    return dataset_pb2.Dataset.FromString(row["definition"])


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
        "display_name": message.display_name,
        # Unique where there is one; the database takes any number of rows that have none.
        "hub_repo": message.hub_repo or None,
        "job_id": message.lineage.job_id or None,
        "artifact_set_id": artifact_set_id,
        "definition": message.SerializeToString(),
        "create_time_ms": message.create_time.ToMilliseconds(),
    }
