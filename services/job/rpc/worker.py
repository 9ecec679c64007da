"""tunesmith.worker.v1.WorkerService: the agents' door."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import grpc
from sqlalchemy import Connection, RowMapping
from tunesmith.worker.v1 import worker_service_pb2 as door
from tunesmith.worker.v1 import worker_service_pb2_grpc

from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.chassis.failpoints import failpoint
from services.chassis.files import read_chunks
from services.job import storage
from services.job.artifact_store import ArtifactStore
from services.job.changes import QUEUE, Changes, wait
from services.job.inputs import Registry
from services.job.inquiries import Inquiries
from services.job.preflight import Preflight
from services.job.usecases import lease, out_of_memory, report
from services.job.usecases.export import source_file
from services.job.usecases.write_artifacts import remove_forgotten, write_artifact_set

# How often a waiting pool looks without being woken: another process may have queued a job.
QUEUE_POLL_S = 1.0


class WorkerServicer(worker_service_pb2_grpc.WorkerServiceServicer):
    """Pools lease jobs here, read their inputs, report, and store what they made."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        preflight: Preflight,
        store: ArtifactStore,
        changes: Changes,
        lease_seconds: float,
        inquiries: Inquiries,
    ) -> None:
        self._database = database
        self._registry = registry
        self._preflight = preflight
        self._store = store
        self._changes = changes
        self._lease_seconds = lease_seconds
        self._inquiries = inquiries
        self.stopping = asyncio.Event()

    async def RegisterPool(
        self, request: door.RegisterPoolRequest, context: grpc.aio.ServicerContext
    ) -> door.RegisterPoolResponse:
        for job_id in await self._database.write(lambda connection: lease.register_pool(connection, request)):
            self._changes.notify(job_id)
            self._changes.notify(QUEUE)
        return door.RegisterPoolResponse()

    async def Lease(self, request: door.LeaseRequest, context: grpc.aio.ServicerContext) -> door.LeaseResponse:
        end = time.monotonic() + request.wait_seconds
        with self._changes.subscribe(QUEUE) as waiter:
            while True:
                waiter.clear()
                assignment = await self._database.write(
                    lambda connection: lease.lease_job(connection, request, self._lease_seconds)
                )
                if assignment is not None:
                    failpoint("lease.committed")
                    self._changes.notify(assignment.lease.job_id)
                    return door.LeaseResponse(assignment=assignment)
                remaining = end - time.monotonic()
                if remaining <= 0 or self.stopping.is_set():
                    return door.LeaseResponse()
                await wait(waiter, min(QUEUE_POLL_S, remaining))

    async def Heartbeat(self, request: door.HeartbeatRequest, context: grpc.aio.ServicerContext) -> door.HeartbeatResponse:
        directive = await self._database.write(lambda connection: lease.keep_lease(connection, request, self._lease_seconds))
        return door.HeartbeatResponse(directive=directive)

    async def Report(self, request: door.ReportRequest, context: grpc.aio.ServicerContext) -> door.ReportResponse:
        advice = await out_of_memory.advise(self._database, self._preflight, request)

        def work(connection: Connection) -> door.Directive:
            directive = report.apply_report(connection, request, round(self._lease_seconds * 1000), advice)
            failpoint("report.before_commit")
            return directive

        directive = await self._database.write(work)
        failpoint("report.committed")
        self._changes.notify(request.lease.job_id)
        if request.HasField("outcome"):
            await remove_forgotten(self._database, self._store, request.lease.job_id)
            # It may be queued again: a pause that was taken back.
            self._changes.notify(QUEUE)
        return door.ReportResponse(directive=directive)

    async def ReleaseLease(
        self, request: door.ReleaseLeaseRequest, context: grpc.aio.ServicerContext
    ) -> door.ReleaseLeaseResponse:
        await self._database.write(lambda connection: lease.release_lease(connection, request))
        self._changes.notify(request.lease.job_id)
        self._changes.notify(QUEUE)
        return door.ReleaseLeaseResponse()

    async def TakeInquiry(self, request: door.TakeInquiryRequest, context: grpc.aio.ServicerContext) -> door.TakeInquiryResponse:
        inquiry = await self._inquiries.take(request.pool_id, request.wait_seconds)
        return door.TakeInquiryResponse(inquiry=inquiry)

    async def AnswerInquiry(
        self, request: door.AnswerInquiryRequest, context: grpc.aio.ServicerContext
    ) -> door.AnswerInquiryResponse:
        self._inquiries.answer(request.pool_id, request.answer)
        return door.AnswerInquiryResponse()

    async def ReadDataset(
        self, request: door.ReadDatasetRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[door.ReadDatasetResponse]:
        inputs = await self._inputs(request.lease)
        training = request.role == door.DATASET_ROLE_TRAINING
        dataset = inputs.training_dataset if training else inputs.validation_dataset
        if not dataset.id:
            raise NotFound("validation dataset of job", request.lease.job_id, "the job has none; read the training dataset")
        async for response in self._registry.read_dataset(dataset.id):
            yield door.ReadDatasetResponse(chunk=response.chunk)

    async def ReadBaseModelFile(
        self, request: door.ReadBaseModelFileRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[door.ReadBaseModelFileResponse]:
        inputs = await self._inputs(request.lease)
        model = inputs.teacher_model if request.role == door.MODEL_ROLE_TEACHER else inputs.base_model
        if not model.id:
            raise NotFound("teacher of job", request.lease.job_id, "the job has none; read the base model")
        async for response in self._registry.read_base_model_file(model.id, request.path):
            yield door.ReadBaseModelFileResponse(chunk=response.chunk)

    async def ReadTrainingStateFile(
        self, request: door.ReadTrainingStateFileRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[door.ReadTrainingStateFileResponse]:
        def work(connection: Connection) -> Sequence[RowMapping]:
            return storage.state_to_go_on_from(connection, lease.check_lease(connection, request.lease))

        files = {lease.path_in_set(file): file for file in await self._database.read(work)}
        if request.path not in files:
            raise NotFound("file of the training state", request.path, "the assignment lists those there are")
        file = files[request.path]
        async for chunk in read_chunks(self._store.path(file["job_id"], file["id"]), 0, file["size_bytes"]):
            yield door.ReadTrainingStateFileResponse(chunk=chunk)

    async def ReadExportSourceFile(
        self, request: door.ReadExportSourceFileRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[door.ReadExportSourceFileResponse]:
        def work(connection: Connection) -> RowMapping:
            return source_file(connection, lease.check_lease(connection, request.lease), request.path)

        file = await self._database.read(work)
        async for chunk in read_chunks(self._store.path(file["job_id"], file["id"]), 0, file["size_bytes"]):
            yield door.ReadExportSourceFileResponse(chunk=chunk)

    async def WriteArtifactSet(
        self, request_iterator: AsyncIterator[door.WriteArtifactSetRequest], context: grpc.aio.ServicerContext
    ) -> door.WriteArtifactSetResponse:
        job_id, set_id = await write_artifact_set(self._database, self._store, aiter(request_iterator))
        failpoint("artifacts.committed")
        self._changes.notify(job_id)
        return door.WriteArtifactSetResponse(set_id=set_id)

    async def _inputs(self, token: door.LeaseToken) -> door.Assignment:
        """What a lease may read: only its own job's inputs."""
        row = await self._database.read(lambda connection: lease.check_lease(connection, token))
        return door.Assignment.FromString(row["inputs"])
