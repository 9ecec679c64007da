"""A model on the hub, fetched file by file into a folder that may hold some of them already."""

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from tunesmith.registry.v1 import base_model_pb2

from services.registry.importing.files import MAX_SMALL_FILE_BYTES, SMALL_FILES
from services.registry.importing.hub import Hub, HubUnreachable
from services.registry.importing.hub_repository import HubFile, HubRepository
from services.registry.importing.incoming_file import IncomingFile
from services.registry.importing.refused import Refused
from services.registry.uninterrupted import to_the_end

# How long to wait before a file is asked for again that the hub did not give whole.
RETRY_DELAYS_S = (0.5, 2.0)
_UNFINISHED = ".part"
_BLOCK_BYTES = 8 * 1024 * 1024


class HubFiles:
    """The files of one commit. `count` is told the bytes that have come, less than zero for those that have to come again."""

    def __init__(
        self,
        hub: Hub,
        repository: HubRepository,
        credential_id: str,
        count: Callable[[int], None],
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
    ) -> None:
        self._hub = hub
        self._repository = repository
        self._credential_id = credential_id
        self._count = count
        self._retry_delays_s = retry_delays_s
        # What did not have to be fetched.
        self.kept_bytes = 0

    @property
    def names(self) -> Sequence[str]:
        return self._repository.names

    async def fetch(self, name: str, folder: Path) -> base_model_pb2.BaseModelFile:
        """One file, whole in the folder. Raises HubUnreachable or Refused."""
        listed = self._repository.files[name]
        if (folder / name).exists():
            file = await to_the_end(asyncio.to_thread(_described, folder / name))
            if _is(file, listed):
                self.kept_bytes += file.size_bytes
                self._count(file.size_bytes)
                return file
            await asyncio.to_thread((folder / name).unlink)
        for delay_s in self._retry_delays_s:
            try:
                return await self._fetch(name, listed, folder)
            except HubUnreachable:
                await asyncio.sleep(delay_s)
        return await self._fetch(name, listed, folder)

    async def _fetch(self, name: str, listed: HubFile, folder: Path) -> base_model_pb2.BaseModelFile:
        unfinished = folder / _UNFINISHED
        await asyncio.to_thread(_renew, unfinished)
        most = MAX_SMALL_FILE_BYTES if name in SMALL_FILES else None
        target = IncomingFile(unfinished, name)
        try:
            async with aclosing(self._hub.stream(self._repository, name, self._credential_id)) as blocks:
                async for block in blocks:
                    await to_the_end(asyncio.to_thread(target.write, block))
                    self._count(len(block))
                    if most is not None and target.size_bytes > most:
                        raise Refused(f"{name} is larger than {most} bytes, which no model's is; use another model")
                    if listed.size_bytes is not None and target.size_bytes > listed.size_bytes:
                        break
            file = await to_the_end(asyncio.to_thread(target.finish))
            if not _is(file, listed):
                raise HubUnreachable(
                    f"{name} came as {file.size_bytes} bytes that are not the {listed.size_bytes} which the hub lists"
                )
        except BaseException:
            self._count(-target.size_bytes)
            raise
        finally:
            target.close()
        await asyncio.to_thread((unfinished / name).rename, folder / name)
        await asyncio.to_thread(shutil.rmtree, unfinished)
        return file


def _is(file: base_model_pb2.BaseModelFile, listed: HubFile) -> bool:
    """Whether a file is the one that the hub lists, as far as the hub says."""
    return listed.size_bytes in (None, file.size_bytes) and listed.sha256 in (None, file.sha256)


def _described(path: Path) -> base_model_pb2.BaseModelFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return base_model_pb2.BaseModelFile(path=path.name, size_bytes=path.stat().st_size, sha256=digest.hexdigest())


def _renew(folder: Path) -> None:
    """An empty folder for what is on its way: what an interrupted attempt left of a file is of no use."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
