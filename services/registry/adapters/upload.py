"""An adapter is uploaded: taken out of its archive while it arrives, checked, and stored whole, or refused and nothing stored."""

import asyncio
from collections.abc import AsyncIterator

from tunesmith.registry.v1 import adapter_pb2, base_model_pb2
from tunesmith.registry.v1 import adapter_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.errors import InvalidArgument, ServiceError
from services.chassis.ids import message_hash
from services.chassis.validation import check
from services.registry.adapters.archive import Archive
from services.registry.adapters.contents import examine
from services.registry.adapters.recording import Answers, record
from services.registry.adapters.trained import find_base_model
from services.registry.domain import refuse_control_characters, shortened
from services.registry.importing.refused import Refused
from services.registry.incoming_stream import drain, feed
from services.registry.shelf import Incoming, Shelf
from services.registry.uninterrupted import to_the_end

Stream = AsyncIterator[messages.UploadAdapterRequest]

_ANSWERS = Answers("UploadAdapter", messages.UploadAdapterResponse)


async def upload_adapter(database: Database, shelf: Shelf, stream: Stream) -> adapter_pb2.Adapter:
    """Store what a stream brings, or raise with what is wrong with it and store nothing.

    The parameters are those of the first message. A repeated request_id with the same archive answers what was answered first.
    """
    first = await anext(stream, messages.UploadAdapterRequest())
    try:
        check(first)
        refuse_control_characters("display_name", first.display_name)
        if not first.base_model:
            text = "is required; give the base model the adapter was trained on (GET /v1/base-models lists them)"
            raise InvalidArgument([("base_model", text)])
        model = await find_base_model(database, first.base_model)
        incoming = await asyncio.to_thread(shelf.begin)
        try:
            return await _take_in(database, incoming, model, Archive(incoming.path), first, stream)
        except Refused as refusal:
            raise InvalidArgument([("data", str(refusal))]) from refusal
        finally:
            await asyncio.to_thread(incoming.discard)
    except ServiceError:
        await drain(stream)
        raise


async def _take_in(
    database: Database,
    incoming: Incoming,
    model: base_model_pb2.BaseModel,
    archive: Archive,
    first: messages.UploadAdapterRequest,
    stream: Stream,
) -> adapter_pb2.Adapter:
    """Unpack, check and record. Raises Refused."""
    try:
        await feed(archive.feed, first, stream)
        archive.finish()
    finally:
        archive.close()
    adapter = await to_the_end(asyncio.to_thread(examine, incoming.path, archive.files, model))
    name = (model.hub_repo or model.display_name).rpartition("/")[2]
    adapter.display_name = first.display_name or shortened(f"{name} adapter")
    adapter.description = first.description
    request_hash = message_hash(_identity(first, archive.sha256))
    return await to_the_end(record(database, incoming, adapter, _ANSWERS, first.request_id, request_hash))


def _identity(first: messages.UploadAdapterRequest, sha256: str) -> messages.UploadAdapterRequest:
    """What makes two uploads the same: the parameters and the archive, however it was cut."""
    identity = messages.UploadAdapterRequest()
    identity.CopyFrom(first)
    identity.data.data = sha256.encode()
    return identity
