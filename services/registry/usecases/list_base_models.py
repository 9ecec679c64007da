"""Base models by what is asked of them, newest first."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.identity import PROJECT
from services.registry import storage
from services.registry.pages import read_fitting_page

_TABLE = storage.base_models


def list_base_models(connection: Connection, request: messages.ListBaseModelsRequest) -> tuple[Sequence[RowMapping], str]:
    """The rows of one page, and the token of the next. The database filters, so that every page but the last is full."""
    return read_fitting_page(connection, table=_TABLE, query=_query(request), request=request)


def _query(request: messages.ListBaseModelsRequest) -> Select[Any]:
    columns = _TABLE.c
    conditions = [columns.project == PROJECT, columns.delete_time_ms.is_(None)]
    if request.family:
        conditions.append(columns.family == request.family)
    if request.stage:
        conditions.append(columns.stage == base_model_pb2.Stage.Name(request.stage))
    if request.lifecycle:
        conditions.append(columns.lifecycle == base_model_pb2.Lifecycle.Name(request.lifecycle))
    if request.HasField("trainable"):
        conditions.append(columns.trainable.is_(request.trainable))
    if request.modality:
        conditions.append(columns.modality == base_model_pb2.Modality.Name(request.modality))
    if request.search:
        conditions.append(columns.search_text.contains(request.search.lower(), autoescape=True))
    return select(_TABLE).where(*conditions)
