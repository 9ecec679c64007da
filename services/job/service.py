"""The job service, wired."""

import asyncio
from collections.abc import Sequence

import grpc
import structlog
from tunesmith.job.v1 import job_service_pb2_grpc
from tunesmith.pool.v1 import pool_service_pb2_grpc
from tunesmith.worker.v1 import inquiry_service_pb2_grpc, worker_service_pb2_grpc

from services.chassis.database import Database
from services.chassis.migrations import migrate
from services.chassis.server import client_channel
from services.chassis.settings import Settings
from services.job.artifact_store import ArtifactStore
from services.job.changes import QUEUE, Changes
from services.job.inputs import Registry
from services.job.inquiries import Inquiries
from services.job.preflight import Preflight
from services.job.rpc.inquiries import InquiryServicer
from services.job.rpc.jobs import JobServicer
from services.job.rpc.pools import PoolServicer
from services.job.rpc.worker import WorkerServicer
from services.job.usecases.lease import expire_leases
from services.job.usecases.write_artifacts import remove_leftovers

EXPIRY_INTERVAL_S = 1.0

log = structlog.get_logger()


class JobService:
    """Jobs, pools, and the agents' door, with the task that takes back expired leases."""

    names = (
        "tunesmith.job.v1.JobService",
        "tunesmith.pool.v1.PoolService",
        "tunesmith.worker.v1.WorkerService",
        "tunesmith.worker.v1.InquiryService",
    )

    def __init__(
        self,
        settings: Settings,
        database: Database,
        registry_channel: grpc.aio.Channel,
        preflight_channel: grpc.aio.Channel,
    ) -> None:
        self._database = database
        self._channels = (registry_channel, preflight_channel)
        self._store = ArtifactStore(settings.home / "artifacts")
        self._changes = Changes()
        registry, preflight = Registry(registry_channel), Preflight(preflight_channel)
        self._jobs = JobServicer(database, registry, preflight, self._store, self._changes)
        self._pools = PoolServicer(database, settings.lease_seconds)
        self._inquiries = Inquiries()
        self._inquiry = InquiryServicer(self._inquiries)
        self._worker = WorkerServicer(
            database, registry, preflight, self._store, self._changes, settings.lease_seconds, self._inquiries
        )
        self._lease_seconds = settings.lease_seconds
        self._expiry: asyncio.Task[None] | None = None

    def add_to(self, server: grpc.aio.Server) -> None:
        job_service_pb2_grpc.add_JobServiceServicer_to_server(self._jobs, server)
        pool_service_pb2_grpc.add_PoolServiceServicer_to_server(self._pools, server)
        worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(self._worker, server)
        inquiry_service_pb2_grpc.add_InquiryServiceServicer_to_server(self._inquiry, server)

    async def recover(self) -> None:
        """Remove what a crash left unlisted."""
        removed = await self._database.read(lambda connection: remove_leftovers(connection, self._store))
        if removed:
            log.info("unlisted_artifacts_removed", count=removed)

    async def start(self) -> None:
        self._expiry = asyncio.create_task(self._take_back_expired())

    async def stop(self) -> None:
        self._jobs.stopping.set()
        self._worker.stopping.set()
        await self._inquiries.stop()
        self._changes.notify_all()
        if self._expiry is not None:
            self._expiry.cancel()

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()
        await asyncio.to_thread(self._database.close)

    async def _take_back_expired(self) -> None:
        # While no service ran, no worker could be heard of: each gets the time of a lease to be.
        await asyncio.sleep(self._lease_seconds)
        while True:
            await asyncio.sleep(EXPIRY_INTERVAL_S)
            try:
                lost: Sequence[str] = await self._database.write(expire_leases)
            except Exception:
                # The next round tries again; a job must not wait for ever because the database was away once.
                log.exception("lease_expiry_failed")
                continue
            for job_id in lost:
                log.warning("lease_expired", job=job_id)
                self._changes.notify(job_id)
                self._changes.notify(QUEUE)


async def build(settings: Settings) -> list[JobService]:
    """The job service on the configured database, its tables brought up to date."""
    database = Database(settings.database())
    await asyncio.to_thread(migrate, database.engine, "job")
    channels = (client_channel(settings.address_of(name)) for name in ("registry", "preflight"))
    service = JobService(settings, database, *channels)
    # Before the server listens: a set that is being stored would be taken for a leftover.
    await service.recover()
    return [service]
