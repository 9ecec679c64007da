"""An adapter is registered out of a job's result or a folder on the server."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import grpc
from sqlalchemy import Connection
from tunesmith.registry.v1 import adapter_pb2, base_model_pb2
from tunesmith.registry.v1 import adapter_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.errors import InvalidArgument
from services.chassis.ids import message_hash
from services.registry.adapters.contents import as_adapter_file, examine
from services.registry.adapters.files import CONFIG, NO_ADAPTER, SMALL_FILES, taken
from services.registry.adapters.recording import Answers, record
from services.registry.adapters.trained import base_model_of, find_base_model, job_of, metrics_of
from services.registry.domain import refuse_control_characters, shortened
from services.registry.importing.artifact_set import ADAPTER_KINDS, find_set
from services.registry.importing.local_folder import LocalFolder
from services.registry.importing.refused import Refused
from services.registry.importing.source import Source
from services.registry.shelf import Shelf
from services.registry.uninterrupted import to_the_end

_ANSWERS = Answers("CreateAdapter", messages.CreateAdapterResponse)


class AdapterRegistration:
    """Registers adapters that are somewhere already."""

    def __init__(self, database: Database, shelf: Shelf, import_roots: Sequence[Path], jobs: grpc.aio.Channel) -> None:
        self._database = database
        self._shelf = shelf
        self._import_roots = import_roots
        self._jobs = jobs

    async def register(self, request: messages.CreateAdapterRequest) -> adapter_pb2.Adapter:
        """Register an adapter, or raise and store nothing.

        A repeated request_id answers what was answered first, and a set of artifacts is taken once: a second registration answers
        with the adapter of the first.
        """
        refuse_control_characters("display_name", request.display_name)

        def find(connection: Connection) -> adapter_pb2.Adapter | None:
            return _ANSWERS.find(connection, request.request_id, message_hash(request))

        earlier = await self._database.read(find)
        if earlier is not None:
            return earlier
        field = "artifact_id" if request.artifact_id else "local_folder"
        try:
            return await (self._of_job(request) if request.artifact_id else self._of_folder(request))
        except Refused as refusal:
            raise InvalidArgument([(field, str(refusal))]) from refusal

    async def _of_folder(self, request: messages.CreateAdapterRequest) -> adapter_pb2.Adapter:
        if not request.base_model:
            text = (
                "is required with local_folder; give the base model the adapter was trained on (GET /v1/base-models lists them)"
            )
            raise InvalidArgument([("base_model", text)])
        model = await find_base_model(self._database, request.base_model)
        source = await asyncio.to_thread(LocalFolder, request.local_folder, self._import_roots, SMALL_FILES)
        return await self._take(request, source, model, adapter_pb2.Adapter(display_name=source.label), None)

    async def _of_job(self, request: messages.CreateAdapterRequest) -> adapter_pb2.Adapter:
        source = await find_set(self._jobs, request.artifact_id, ADAPTER_KINDS, NO_ADAPTER)
        if CONFIG not in source.names:
            raise Refused(NO_ADAPTER)
        job = await job_of(self._jobs, source.lineage.job_id)
        model = await base_model_of(self._database, self._jobs, job)
        await self._refuse_other(request.base_model, model)
        named = adapter_pb2.Adapter(
            display_name=job.display_name or source.label,
            lineage=adapter_pb2.AdapterLineage(job_id=source.lineage.job_id, artifact_id=request.artifact_id),
            metrics=metrics_of(job, source.kind),
        )
        return await self._take(request, source, model, named, source.set_id)

    async def _refuse_other(self, name: str, model: base_model_pb2.BaseModel) -> None:
        """Raise for a base model that is named and is not the job's."""
        if name and (await find_base_model(self._database, name)).id != model.id:
            text = f"is not what the job trained on, which is {model.hub_repo or model.id}; leave it out"
            raise InvalidArgument([("base_model", text)])

    async def _take(
        self,
        request: messages.CreateAdapterRequest,
        source: Source,
        model: base_model_pb2.BaseModel,
        named: adapter_pb2.Adapter,
        set_id: str | None,
    ) -> adapter_pb2.Adapter:
        """Copy, check and record. Raises Refused."""
        incoming = await asyncio.to_thread(self._shelf.begin)
        try:
            files = [as_adapter_file(await source.fetch(name, incoming.path)) for name in taken(source.names)]
            adapter = await to_the_end(asyncio.to_thread(examine, incoming.path, files, model))
            adapter.MergeFrom(named)
            adapter.display_name = request.display_name or shortened(named.display_name)
            adapter.description = request.description
            request_hash = message_hash(request)
            recording = record(self._database, incoming, adapter, _ANSWERS, request.request_id, request_hash, set_id)
            return await to_the_end(recording)
        finally:
            await asyncio.to_thread(incoming.discard)
