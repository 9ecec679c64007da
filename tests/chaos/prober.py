"""Lists artifacts all along and downloads what is listed: no moment may show one that is not whole."""

import asyncio
from collections import defaultdict

import grpc

from tests.chaos.clients import REFUSALS
from tests.chaos.history import Artifact
from tests.chaos.log import OperationLog
from tests.chaos.reading import Reader

PAUSE_S = 0.3


class Prober:
    """Looks at the jobs it was told of, until they are over."""

    def __init__(self, reader: Reader, log: OperationLog) -> None:
        self._reader = reader
        self._log = log
        self._verified: set[str] = set()
        self._sets: dict[str, tuple[str, ...]] = {}
        self.jobs: set[str] = set()

    async def run(self) -> None:
        """Look without end."""
        while True:
            for job_id in sorted(self.jobs):
                await self.look(job_id)
            await asyncio.sleep(PAUSE_S)

    async def look(self, job_id: str, *, again: bool = False) -> None:
        """List a job's artifacts and download those not downloaded before; `again`: all of them."""
        listed = await self._reader.artifacts(job_id)
        self._note_sets(job_id, listed)
        for artifact in listed:
            if again or artifact.id not in self._verified:
                await self._verify(job_id, artifact)

    def _note_sets(self, job_id: str, listed: list[Artifact]) -> None:
        """Write down which files a set shows, whenever that is new."""
        sets: defaultdict[str, list[str]] = defaultdict(list)
        for artifact in listed:
            sets[artifact.set_id].append(artifact.path)
        for set_id, paths in sets.items():
            shown = tuple(sorted(paths))
            if self._sets.get(set_id) != shown:
                self._sets[set_id] = shown
                self._log.add("seen", "set", "prober", job=job_id, set=set_id, paths=shown)

    async def _verify(self, job_id: str, artifact: Artifact) -> None:
        facts = {"job": job_id, "artifact": artifact.id, "path": artifact.path}
        try:
            size, sha256 = await self._reader.download(job_id, artifact.id)
        except grpc.aio.AioRpcError as error:
            if error.code() in REFUSALS and artifact.id in {one.id for one in await self._reader.artifacts(job_id)}:
                # Not replaced by a later set meanwhile, so it is listed and can't be had.
                self._log.add("fail", "download", "prober", error=f"{error.code().name}: {error.details()}", **facts)
            return
        self._verified.add(artifact.id)
        announced = [artifact.size_bytes, artifact.sha256]
        self._log.add("ok", "download", "prober", announced=announced, came=[size, sha256], **facts)
