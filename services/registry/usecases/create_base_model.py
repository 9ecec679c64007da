"""A base model is registered: a hub name is recorded, files are copied, checked and profiled first."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
from sqlalchemy import Connection
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.errors import AlreadyExists, InvalidArgument
from services.chassis.idempotency import RequestLog
from services.chassis.identity import OWNER, PROJECT
from services.chassis.ids import message_hash, new_id
from services.registry import convert, storage
from services.registry.domain import check_hub_repo, check_revision, refuse_control_characters, shortened
from services.registry.importing.artifact_set import find_set
from services.registry.importing.hub import Hub
from services.registry.importing.hub_model import describe
from services.registry.importing.local_folder import LocalFolder
from services.registry.importing.refused import Refused
from services.registry.importing.source import Source, take_model
from services.registry.known_files import ask_for_profile
from services.registry.shelf import Incoming, Shelf
from services.registry.uninterrupted import to_the_end

_REQUESTS = RequestLog(storage.requests, "CreateBaseModel")


class BaseModelCreation:
    """Registers base models."""

    def __init__(
        self,
        database: Database,
        shelf: Shelf,
        import_roots: Sequence[Path],
        jobs: grpc.aio.Channel,
        hub: Hub,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when there is a new model."""
        self._database = database
        self._hub = hub
        self._changed = changed
        self._shelf = shelf
        self._import_roots = import_roots
        self._jobs = jobs

    async def create(self, request: messages.CreateBaseModelRequest) -> messages.CreateBaseModelResponse:
        """Register a base model, or raise and store nothing.

        A repeated request_id answers what was answered first, and a set of artifacts is imported once: a second import answers
        with the model of the first.
        """
        _check(request)
        earlier = await self._database.read(lambda connection: _before_copying(connection, request))
        if earlier is not None:
            return earlier
        if request.HasField("hub"):
            return await self._record_hub_model(request)
        if request.local_folder:
            return await self._import_folder(request)
        return await self._import_artifacts(request)

    async def _record_hub_model(self, request: messages.CreateBaseModelRequest) -> messages.CreateBaseModelResponse:
        try:
            model = await describe(self._hub, request.hub)
        except Refused as refusal:
            field = "hub.configuration_json" if request.hub.configuration_json else "hub.repo"
            raise InvalidArgument([(field, str(refusal))]) from refusal
        return await self._record(request, model)

    async def _import_folder(self, request: messages.CreateBaseModelRequest) -> messages.CreateBaseModelResponse:
        try:
            source = await asyncio.to_thread(LocalFolder, request.local_folder, self._import_roots)
            return await self._import(request, source, base_model_pb2.BaseModel(display_name=source.label), None)
        except Refused as refusal:
            raise InvalidArgument([("local_folder", str(refusal))]) from refusal

    async def _import_artifacts(self, request: messages.CreateBaseModelRequest) -> messages.CreateBaseModelResponse:
        try:
            source = await find_set(self._jobs, request.artifact_id)
            known = await self._database.read(lambda connection: storage.base_model_of_set(connection, PROJECT, source.set_id))
            named = base_model_pb2.BaseModel(display_name=source.label, lineage=source.lineage)
            if known is not None:
                return await self._record(request, named, set_id=source.set_id)
            return await self._import(request, source, named, source.set_id)
        except Refused as refusal:
            raise InvalidArgument([("artifact_id", str(refusal))]) from refusal

    async def _import(
        self,
        request: messages.CreateBaseModelRequest,
        source: Source,
        named: base_model_pb2.BaseModel,
        set_id: str | None,
    ) -> messages.CreateBaseModelResponse:
        """Copy, profile and record. Raises Refused."""
        incoming = await asyncio.to_thread(self._shelf.begin)
        try:
            model = await take_model(source, incoming.path)
            model.MergeFrom(named)
            model.cache_status = base_model_pb2.CACHE_STATUS_CACHED
            model.download_bytes = 0
            ask_for_profile(model)
            return await to_the_end(self._record(request, model, set_id=set_id, incoming=incoming))
        finally:
            await asyncio.to_thread(incoming.discard)

    async def _record(
        self,
        request: messages.CreateBaseModelRequest,
        model: base_model_pb2.BaseModel,
        *,
        set_id: str | None = None,
        incoming: Incoming | None = None,
    ) -> messages.CreateBaseModelResponse:
        """Record a model and put its folder in its place, unless it was recorded before."""
        model.id = await asyncio.to_thread(incoming.seal) if incoming else new_id()
        model.project, model.owner = PROJECT, OWNER
        model.hub_repo = model.hub_repo or request.hub_repo
        model.display_name = request.display_name or shortened(model.hub_repo.rpartition("/")[2] or model.display_name)
        model.stage = request.stage or base_model_pb2.STAGE_PRETRAINED
        model.lifecycle = request.lifecycle or base_model_pb2.LIFECYCLE_STAGING
        model.license = request.license or model.license
        response = await storage.write(self._database, lambda connection: _store(connection, request, model, set_id))
        if incoming and response.base_model.id == model.id:
            await asyncio.to_thread(incoming.publish)
        self._changed()
        return response


def _check(request: messages.CreateBaseModelRequest) -> None:
    """Raise for names that no rule of the proto covers."""
    refuse_control_characters("display_name", request.display_name)
    refuse_control_characters("license", request.license)
    if request.HasField("hub"):
        check_hub_repo("hub.repo", request.hub.repo)
        check_revision("hub.revision", request.hub.revision)
        if request.hub_repo not in ("", request.hub.repo):
            raise InvalidArgument([("hub_repo", "is taken from hub.repo; leave it out")])
    elif request.hub_repo:
        check_hub_repo("hub_repo", request.hub_repo)


def _find_earlier(connection: Connection, request: messages.CreateBaseModelRequest) -> messages.CreateBaseModelResponse | None:
    return _REQUESTS.find(connection, PROJECT, request.request_id, message_hash(request), messages.CreateBaseModelResponse)


def _before_copying(connection: Connection, request: messages.CreateBaseModelRequest) -> messages.CreateBaseModelResponse | None:
    """The answer to this request, if there was one. Raises AlreadyExists if it could only end so."""
    earlier = _find_earlier(connection, request)
    # A set of artifacts may be imported again under the name it has.
    if earlier is None and not request.artifact_id:
        _refuse_taken(connection, request.hub.repo or request.hub_repo)
    return earlier


def _refuse_taken(connection: Connection, hub_repo: str) -> None:
    taken = storage.base_model_of_hub_repo(connection, PROJECT, hub_repo) if hub_repo else None
    if taken is not None:
        text = (
            f"{hub_repo} is registered already; use that (GET /v1/base-models/{hub_repo}, id {taken['id']}), or register this "
            "one under another hub_repo"
        )
        raise AlreadyExists("HUB_REPO_TAKEN", text, {"hub_repo": hub_repo, "id": taken["id"]})


def _store(
    connection: Connection,
    request: messages.CreateBaseModelRequest,
    model: base_model_pb2.BaseModel,
    set_id: str | None,
) -> messages.CreateBaseModelResponse:
    # Looked up again: a twin of this request may have been stored since the first look.
    earlier = _find_earlier(connection, request)
    if earlier is not None:
        return earlier
    known = storage.base_model_of_set(connection, PROJECT, set_id) if set_id else None
    if known is not None:
        response = messages.CreateBaseModelResponse(base_model=convert.base_model(known))
    else:
        _refuse_taken(connection, model.hub_repo)
        model.create_time.CopyFrom(timestamp(now_ms(connection)))
        model.update_time.CopyFrom(model.create_time)
        connection.execute(storage.base_models.insert().values(convert.base_model_row(model, set_id)))
        response = messages.CreateBaseModelResponse(base_model=model)
    _REQUESTS.store(connection, PROJECT, request.request_id, message_hash(request), response)
    return response
