"""A worker stores a set of artifacts: listed whole, or not at all."""

import asyncio
from collections.abc import AsyncIterator

from sqlalchemy import Connection, select
from tunesmith.job.v1 import artifact_pb2, job_event_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.database import Database, now_ms
from services.chassis.errors import InvalidArgument
from services.chassis.failpoints import failpoint
from services.chassis.ids import new_id
from services.chassis.validation import check
from services.job import convert, domain, storage
from services.job.artifact_store import ArtifactStore, IncomingFile
from services.job.usecases.lease import check_lease
from services.job.usecases.transition import add_event


async def write_artifact_set(
    database: Database, store: ArtifactStore, parts: AsyncIterator[door.WriteArtifactSetRequest]
) -> tuple[str, str]:
    """Receive a set and list it; answers (job id, set id).

    A set of that name from the same lease is left as it is; one of an earlier attempt or step is replaced.

    Raises Aborted if the lease is lost, InvalidArgument if a file is not what its header announced. Nothing is listed then, and
    what had arrived is removed.
    """
    upload = _Upload(store, await _set_header(parts))
    job_id = upload.header.lease.job_id
    await database.read(lambda connection: check_lease(connection, upload.header.lease))
    try:
        async for part in parts:
            await upload.receive(part)
        await asyncio.to_thread(upload.finish)
        failpoint("artifacts.received")
        set_id, unlisted = await database.write(lambda connection: _list(connection, upload))
    except BaseException:
        upload.discard()
        raise
    store.discard(job_id, unlisted)
    return job_id, set_id


async def _set_header(parts: AsyncIterator[door.WriteArtifactSetRequest]) -> door.ArtifactSetHeader:
    first = await anext(parts, None)
    if first is None or not first.HasField("set"):
        raise InvalidArgument([("set", "the first message of an upload must carry the set's header")])
    check(first)
    return first.set


class _Upload:
    """The files of one set, as they arrive one after another."""

    def __init__(self, store: ArtifactStore, header: door.ArtifactSetHeader) -> None:
        self.header = header
        self.files: list[tuple[door.ArtifactFileHeader, IncomingFile]] = []
        self._store = store
        self._open = False

    async def receive(self, part: door.WriteArtifactSetRequest) -> None:
        match part.WhichOneof("part"):
            case "file":
                check(part)
                await asyncio.to_thread(self._begin, part.file)
            case "chunk" if self._open:
                await asyncio.to_thread(self.files[-1][1].write, part.chunk)
                failpoint("artifacts.receiving")
            case _:
                raise InvalidArgument([("part", "after the set's header come files: for each its header, then its bytes")])

    def finish(self) -> None:
        """Put the last file and the folder on disk."""
        self._close()
        if len(self.files) != self.header.file_count:
            text = f"{self.header.file_count} files were announced and {len(self.files)} came; send the set again"
            raise InvalidArgument([("set.file_count", text)])
        self._store.sync(self.header.lease.job_id)

    def discard(self) -> None:
        if self._open:
            self.files[-1][1].abandon()
        self._store.discard(self.header.lease.job_id, [file.id for _, file in self.files])

    def _begin(self, header: door.ArtifactFileHeader) -> None:
        self._close()
        if any(header.path == earlier.path for earlier, _ in self.files):
            raise InvalidArgument([("file.path", f"{header.path} came twice in one set; send each file once")])
        self.files.append((header, self._store.begin(self.header.lease.job_id)))
        self._open = True

    def _close(self) -> None:
        if not self._open:
            return
        header, file = self.files[-1]
        if (file.size_bytes, file.sha256) != (header.size_bytes, header.sha256):
            text = (
                f"{header.path}: {file.size_bytes} bytes came that are not the {header.size_bytes} announced; send the set again"
            )
            raise InvalidArgument([("file.sha256", text)])
        file.finish()
        self._open = False


def _list(connection: Connection, upload: _Upload) -> tuple[str, list[str]]:
    """List a set; answers its id, and the ids of the files that are not listed, or no longer."""
    header = upload.header
    # Again, in the transaction that lists: the lease may have been lost while the bytes came.
    row = check_lease(connection, header.lease)
    table = storage.artifacts
    same_name = (table.c.job_id == row["id"], table.c.set_name == header.name)
    columns = (table.c.id, table.c.set_id, table.c.lease_epoch, table.c.step)
    earlier = connection.execute(select(*columns).where(*same_name)).all()
    if earlier and (earlier[0].lease_epoch, earlier[0].step) == (header.lease.epoch, header.step):
        return earlier[0].set_id, [file.id for _, file in upload.files]
    connection.execute(table.delete().where(*same_name))
    set_id, now = new_id(), now_ms(connection)
    rows = [
        {
            "id": file.id,
            "job_id": row["id"],
            "set_id": set_id,
            "set_name": header.name,
            "lease_epoch": header.lease.epoch,
            "kind": artifact_pb2.ArtifactKind.Name(header.kind),
            "path": f"{header.name}/{announced.path}",
            "size_bytes": announced.size_bytes,
            "sha256": announced.sha256,
            "step": header.step,
            "create_time_ms": now,
        }
        for announced, file in upload.files
    ]
    connection.execute(table.insert(), rows)
    text = (
        f"Stored {header.name}: {len(rows)} files, {sum(file['size_bytes'] for file in rows)} bytes, saved at step {header.step}."
    )
    add_event(connection, row["id"], job_event_pb2.JOB_EVENT_TYPE_ARTIFACTS_ADDED, text)
    got_further = header.kind == artifact_pb2.ARTIFACT_KIND_TRAINING_STATE and (not earlier or header.step > earlier[0].step)
    if got_further and row["lost_attempts"]:
        storage.update_job(connection, row["id"], lost_attempts=0)
    return set_id, [artifact.id for artifact in earlier]


def remove_unlisted(connection: Connection, store: ArtifactStore, job_id: str) -> int:
    """Remove a job's files that no set lists any more; answers how many. Nothing may be arriving for the job."""
    table = storage.artifacts
    listed = set(connection.execute(select(table.c.id).where(table.c.job_id == job_id)).scalars())
    left = store.file_ids(job_id) - listed
    store.discard(job_id, left)
    return len(left)


async def remove_forgotten(database: Database, store: ArtifactStore, job_id: str) -> None:
    """Remove the files of a job that is over and whose training state is therefore listed no longer."""

    def work(connection: Connection) -> None:
        if convert.state_of(storage.find_job(connection, job_id)) in domain.TERMINAL:
            remove_unlisted(connection, store, job_id)

    await database.read(work)


def remove_leftovers(connection: Connection, store: ArtifactStore) -> int:
    """Remove files that a crash left unlisted; answers how many. Called before the service takes calls."""
    count = 0
    for job_id in store.job_ids():
        store.discard_partial(job_id)
        count += remove_unlisted(connection, store, job_id)
    return count
