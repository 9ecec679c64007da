"""Hub models on their way into the registry, in the background."""

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import Connection, select
from tunesmith.registry.v1 import base_model_pb2

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.errors import FailedPrecondition, NotFound, ServiceError
from services.registry import convert, download_rate, storage
from services.registry.base_model_changes import change_base_model, write
from services.registry.importing.hub import Hub, HubUnreachable, NeedsCredential
from services.registry.importing.hub_repository import HubRepository
from services.registry.importing.hub_source import RETRY_DELAYS_S, HubFiles
from services.registry.importing.refused import Refused
from services.registry.importing.source import take_model
from services.registry.known_files import take_over
from services.registry.shelf import Shelf
from services.registry.uninterrupted import to_the_end

ASK_AGAIN = "ask for the download again; files that are complete are not fetched twice"
INTERRUPTED = f"the registry ended meanwhile; {ASK_AGAIN}"
# More would share the same way to the hub.
_AT_ONCE = 2

log = structlog.get_logger()


@dataclass
class _Running:
    """A download and how far it is."""

    task: "asyncio.Task[None] | None" = None
    begin: float = 0.0
    done_bytes: int = 0
    total_bytes: int = 0
    # What an earlier attempt left.
    kept_bytes: int = 0

    def seconds_left(self) -> float | None:
        """By the rate since it began; None before there is one."""
        fetched, seconds = self.done_bytes - self.kept_bytes, time.monotonic() - self.begin
        if fetched <= 0 or seconds < 0.5 or not self.begin:
            return None
        return max(0, self.total_bytes - self.done_bytes) * seconds / fetched


class Downloads:
    """Starts downloads and knows how far they are. `changed` is called when a model's configuration is newly known."""

    def __init__(
        self,
        database: Database,
        shelf: Shelf,
        hub: Hub,
        changed: Callable[[], None],
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
    ) -> None:
        self._database = database
        self._shelf = shelf
        self._hub = hub
        self._changed = changed
        self._retry_delays_s = retry_delays_s
        self._running: dict[str, _Running] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def recover(self) -> None:
        """Finish or mark what the last end interrupted. Call it before the service takes calls."""
        complete, wanted = await self._database.write(_mark_interrupted)
        await asyncio.to_thread(self._shelf.recover_unfinished, complete, wanted)

    async def stop(self) -> None:
        """End what runs; the next start marks it, and a later attempt goes on with the files that are complete."""
        tasks = [running.task for running in self._running.values() if running.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def start(self, model_id: str) -> base_model_pb2.BaseModel:
        """Begin to fetch a model unless it is here or on its way. Raises NotFound, or FailedPrecondition with the fix."""

        def begin(connection: Connection) -> base_model_pb2.BaseModel:
            return change_base_model(connection, model_id, partial(self._begin, connection))

        model = await self._database.write(begin)
        if model.cache_status == base_model_pb2.CACHE_STATUS_DOWNLOADING and model.id not in self._running:
            running = self._running[model.id] = _Running(total_bytes=model.download_bytes)
            running.task = asyncio.create_task(self._run(model, running), name=f"download {model.hub_repo}")
        return model

    async def cancel(self, model_id: str) -> None:
        """End a download whose model was taken off the list, and remove what came of it."""
        running = self._running.get(model_id)
        if running is not None and running.task is not None:
            running.task.cancel()
            await asyncio.wait([running.task])
        await asyncio.to_thread(self._shelf.forget, model_id)

    def show(self, model: base_model_pb2.BaseModel, rate: float) -> None:
        """Put into a model what is told at the moment of an answer: how far its download is, and how long one takes."""
        if model.HasField("download_bytes"):
            model.estimated_download_seconds = model.download_bytes / rate
        running = self._running.get(model.id)
        if running is not None and model.download.state == base_model_pb2.DOWNLOAD_STATE_RUNNING:
            model.download.done_bytes = running.done_bytes
            model.download.total_bytes = running.total_bytes
            left = running.seconds_left()
            if left is not None:
                model.download.remaining_seconds = left

    def _begin(self, connection: Connection, model: base_model_pb2.BaseModel) -> None:
        if model.cache_status == base_model_pb2.CACHE_STATUS_CACHED or model.id in self._running:
            return
        self._refuse(model)
        model.cache_status = base_model_pb2.CACHE_STATUS_DOWNLOADING
        model.download.Clear()
        model.download.state = base_model_pb2.DOWNLOAD_STATE_RUNNING
        model.download.total_bytes = model.download_bytes
        model.download.start_time.CopyFrom(timestamp(now_ms(connection)))

    def _refuse(self, model: base_model_pb2.BaseModel) -> None:
        """Raise for what could only fail."""
        if model.gguf:
            text = f"{model.hub_repo} is a GGUF file, and only safetensors are taken; register the model it was made from"
            raise FailedPrecondition("NO_SAFETENSORS", text)
        if model.private and not model.credential_id:
            text = (
                f"{model.hub_repo} is private: set credential_id to the environment variable of the server that holds its token "
                f"(PATCH /v1/base-models/{model.id} with credential_id HF_TOKEN), then ask again"
            )
            raise FailedPrecondition("CREDENTIAL_MISSING", text, {"id": model.id})
        try:
            self._hub.token(model.credential_id)
        except NeedsCredential as missing:
            raise FailedPrecondition("CREDENTIAL_UNSET", str(missing), {"credential_id": model.credential_id}) from missing
        if self._hub.is_offline:
            text = "the hub is not asked while HF_HUB_OFFLINE is set; unset it where the services start, then ask again"
            raise FailedPrecondition("HUB_OFFLINE", text)

    async def _run(self, model: base_model_pb2.BaseModel, running: _Running) -> None:
        try:
            async with self._turns:
                await self._fetch(model, running)
            self._changed()
        except (HubUnreachable, Refused, ServiceError) as error:
            await self._fail(model, str(error), running)
        except Exception:
            log.exception("download_failed", base_model=model.hub_repo)
            await self._fail(model, "the registry failed; its log has the cause", running)
        finally:
            self._running.pop(model.id, None)

    async def _fetch(self, model: base_model_pb2.BaseModel, running: _Running) -> None:
        repository = await self._look(model)
        folder = await asyncio.to_thread(self._shelf.resume, model.id, repository.commit)
        running.total_bytes = repository.download_bytes or running.total_bytes
        await asyncio.to_thread(_refuse_full_disk, folder.path, running.total_bytes)

        def count(byte_count: int) -> None:
            running.done_bytes += byte_count

        files = HubFiles(self._hub, repository, model.credential_id, count, self._retry_delays_s)
        running.begin = time.monotonic()
        try:
            fetched = await take_model(files, folder.path)
        except Refused:
            # Not what was left out is wrong, but what there is.
            await asyncio.to_thread(self._shelf.forget, model.id)
            raise
        finally:
            running.kept_bytes = files.kept_bytes
        fetched.license = model.license or repository.license or fetched.license
        fetched.revision = repository.commit
        rate = fetched.size_bytes - files.kept_bytes, time.monotonic() - running.begin
        await asyncio.to_thread(folder.seal)

        def record(connection: Connection) -> None:
            change_base_model(connection, model.id, partial(take_over, fetched))
            download_rate.record(connection, model.id, *rate)

        async def finish() -> None:
            await self._database.write(record)
            await asyncio.to_thread(folder.publish)

        await to_the_end(finish())
        log.info("download_complete", base_model=model.hub_repo, bytes=rate[0], seconds=round(rate[1], 1))

    async def _look(self, model: base_model_pb2.BaseModel) -> HubRepository:
        for delay_s in self._retry_delays_s:
            try:
                return await self._hub.look(model.hub_repo, model.revision, model.credential_id)
            except HubUnreachable:
                await asyncio.sleep(delay_s)
        return await self._hub.look(model.hub_repo, model.revision, model.credential_id)

    async def _fail(self, model: base_model_pb2.BaseModel, reason: str, running: _Running) -> None:
        def change(stored: base_model_pb2.BaseModel) -> None:
            stored.cache_status = base_model_pb2.CACHE_STATUS_NOT_CACHED
            stored.download.state = base_model_pb2.DOWNLOAD_STATE_FAILED
            stored.download.done_bytes, stored.download.total_bytes = running.done_bytes, running.total_bytes
            stored.download.error = f"{reason}; {ASK_AGAIN}"

        log.info("download_ended", base_model=model.hub_repo, reason=reason)
        try:
            await self._database.write(lambda connection: change_base_model(connection, model.id, change))
        except NotFound:
            # It was taken off the list meanwhile.
            await asyncio.to_thread(self._shelf.forget, model.id)


def _mark_interrupted(connection: Connection) -> tuple[set[str], set[str]]:
    """The ids of models that are complete and of those that may yet be fetched; downloads that ran are marked as failed."""
    complete, wanted = set(), set()
    for row in connection.execute(select(storage.base_models)).mappings().all():
        model = convert.base_model(row)
        if model.cache_status == base_model_pb2.CACHE_STATUS_CACHED:
            complete.add(model.id)
        elif row["delete_time_ms"] is None:
            wanted.add(model.id)
        if model.download.state == base_model_pb2.DOWNLOAD_STATE_RUNNING:
            model.cache_status = base_model_pb2.CACHE_STATUS_NOT_CACHED
            model.download.state, model.download.error = base_model_pb2.DOWNLOAD_STATE_FAILED, INTERRUPTED
            write(connection, row, model)
    return complete, wanted


def _refuse_full_disk(folder: Path, total_bytes: int) -> None:
    there = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    needed, free = total_bytes - there, shutil.disk_usage(folder).free
    if needed > free:
        raise Refused(f"it takes {needed:,} bytes and the server's disk has {free:,}; free space below TUNESMITH_HOME")
