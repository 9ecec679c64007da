"""tunesmith.job.v1.JobService."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import grpc
from google.api import httpbody_pb2
from sqlalchemy import Connection, RowMapping, select
from tunesmith.job.v1 import job_service_pb2 as messages
from tunesmith.job.v1 import job_service_pb2_grpc, job_state_pb2

from services.chassis.database import Database
from services.chassis.errors import FailedPrecondition, NotFound
from services.chassis.files import read_chunks
from services.chassis.idempotency import RequestLog
from services.chassis.identity import PROJECT
from services.chassis.ids import message_hash
from services.chassis.paging import decode_token, encode_token, page_size, read_page, split_page
from services.job import convert, storage
from services.job.artifact_archive import CONTENT_TYPE, archive, archive_name
from services.job.artifact_store import ArtifactStore
from services.job.changes import QUEUE, Changes
from services.job.inputs import Registry
from services.job.preflight import Preflight
from services.job.usecases.cancel import cancel_job
from services.job.usecases.create import create_job
from services.job.usecases.histograms import list_histograms
from services.job.usecases.pause import pause_job, resume_job
from services.job.usecases.residuals import list_residuals
from services.job.usecases.script import job_script
from services.job.usecases.write_artifacts import remove_forgotten
from services.job.watch import Watches
from services.job.watch_jobs import JobWatches

EVENT_PAGE_SIZE = 200

Answer = TypeVar("Answer", messages.CancelJobResponse, messages.PauseJobResponse, messages.ResumeJobResponse)


class JobServicer(job_service_pb2_grpc.JobServiceServicer):
    """Jobs, their events, metrics and artifacts."""

    def __init__(
        self, database: Database, registry: Registry, preflight: Preflight, store: ArtifactStore, changes: Changes
    ) -> None:
        self._database = database
        self._registry = registry
        self._preflight = preflight
        self._store = store
        self._changes = changes
        self._watches = Watches(database, changes)
        self._job_watches = JobWatches(database, changes)
        # Set when the server stops, so that watches end instead of holding it.
        self.stopping = asyncio.Event()

    async def CreateJob(
        self, request: messages.CreateJobRequest, context: grpc.aio.ServicerContext
    ) -> messages.CreateJobResponse:
        response = await create_job(self._database, self._registry, self._preflight, request)
        self._changes.notify(QUEUE)
        return response

    async def GetJob(self, request: messages.GetJobRequest, context: grpc.aio.ServicerContext) -> messages.GetJobResponse:
        row = await self._database.glance(lambda connection: storage.find_job(connection, request.id))
        return messages.GetJobResponse(job=convert.job(row))

    async def ListJobs(self, request: messages.ListJobsRequest, context: grpc.aio.ServicerContext) -> messages.ListJobsResponse:
        return await self._database.read(lambda connection: _list_jobs(connection, request))

    async def CancelJob(
        self, request: messages.CancelJobRequest, context: grpc.aio.ServicerContext
    ) -> messages.CancelJobResponse:
        response = await self._act(cancel_job, request, messages.CancelJobResponse)
        await remove_forgotten(self._database, self._store, request.id)
        return response

    async def PauseJob(self, request: messages.PauseJobRequest, context: grpc.aio.ServicerContext) -> messages.PauseJobResponse:
        return await self._act(pause_job, request, messages.PauseJobResponse)

    async def ResumeJob(
        self, request: messages.ResumeJobRequest, context: grpc.aio.ServicerContext
    ) -> messages.ResumeJobResponse:
        def resume(connection: Connection, job_id: str) -> None:
            resume_job(connection, job_id, request.from_artifact_id)

        response = await self._act(resume, request, messages.ResumeJobResponse)
        self._changes.notify(QUEUE)
        return response

    async def _act(self, action: Callable[[Connection, str], None], request: Any, response: type[Answer]) -> Answer:
        """Do to a job what a person asks, once for each request_id; answers the job as it is then."""
        requests = RequestLog(storage.requests, request.DESCRIPTOR.name.removesuffix("Request"))
        request_hash = message_hash(request)

        def work(connection: Connection) -> Answer:
            action(connection, request.id)
            return response(job=convert.job(storage.find_job(connection, request.id)))

        answer = await self._database.write(
            lambda connection: requests.once(
                connection, PROJECT, request.request_id, request_hash, response, lambda: work(connection)
            )
        )
        self._changes.notify(request.id)
        return answer

    async def WatchJob(
        self, request: messages.WatchJobRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.WatchJobResponse]:
        async for response in self._watches.watch(request, self.stopping):
            yield response

    async def WatchJobs(
        self, request: messages.WatchJobsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.WatchJobsResponse]:
        async for response in self._job_watches.watch(request, self.stopping):
            yield response

    async def ListJobEvents(
        self, request: messages.ListJobEventsRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListJobEventsResponse:
        return await self._database.read(lambda connection: _list_events(connection, request))

    async def ListJobMetrics(
        self, request: messages.ListJobMetricsRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListJobMetricsResponse:
        return await self._database.read(lambda connection: _list_metrics(connection, request))

    async def ListJobHistograms(
        self, request: messages.ListJobHistogramsRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListJobHistogramsResponse:
        return await self._database.read(lambda connection: list_histograms(connection, request))

    async def GetJobScript(
        self, request: messages.GetJobScriptRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetJobScriptResponse:
        return await self._database.read(lambda connection: job_script(connection, request))

    async def ListResiduals(
        self, request: messages.ListResidualsRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListResidualsResponse:
        return await self._database.read(lambda connection: list_residuals(connection, request))

    async def ListArtifacts(
        self, request: messages.ListArtifactsRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListArtifactsResponse:
        return await self._database.read(lambda connection: _list_artifacts(connection, request))

    async def GetArtifactSet(
        self, request: messages.GetArtifactSetRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetArtifactSetResponse:
        rows = await self._artifact_set(request.artifact_id)
        return messages.GetArtifactSetResponse(artifacts=[convert.artifact(row) for row in rows])

    async def DownloadArtifactSet(
        self, request: messages.DownloadArtifactSetRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.DownloadArtifactSetResponse]:
        files = await self._artifact_set(request.artifact_id)
        disposition = f'attachment; filename="{archive_name(files)}"'
        try:
            async for part in archive(self._store, files):
                if disposition:
                    # With the first bytes: a download that fails before them is an error like any other, and no file.
                    await context.send_initial_metadata((("content-disposition", disposition),))
                    disposition = ""
                data = httpbody_pb2.HttpBody(content_type=CONTENT_TYPE, data=part)
                yield messages.DownloadArtifactSetResponse(data=data)
        except FailedPrecondition:
            # As for a single file: a later set may have taken its place.
            await self._artifact_set(request.artifact_id)
            raise

    async def _artifact_set(self, artifact_id: str) -> Sequence[RowMapping]:
        def work(connection: Connection) -> Sequence[RowMapping]:
            return storage.set_of(connection, artifact_id)

        return await self._database.read(work)

    async def DownloadArtifact(
        self, request: messages.DownloadArtifactRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.DownloadArtifactResponse]:
        row = await self._database.read(lambda connection: storage.find_artifact(connection, request.artifact_id))
        if row["job_id"] != request.job_id:
            raise NotFound("artifact", request.artifact_id, f"GET /v1/jobs/{request.job_id}/artifacts lists the job's")
        if not row["size_bytes"]:
            # An empty file still is an answer with a body's type.
            yield _body(b"")
        try:
            async for chunk in read_chunks(self._store.path(row["job_id"], row["id"]), 0, row["size_bytes"]):
                yield _body(chunk)
        except FailedPrecondition:
            # A later set may have taken its place since it was looked up; then there is no such artifact any more.
            await self._database.read(lambda connection: storage.find_artifact(connection, request.artifact_id))
            raise


def _body(chunk: bytes) -> messages.DownloadArtifactResponse:
    return messages.DownloadArtifactResponse(data=httpbody_pb2.HttpBody(content_type="application/octet-stream", data=chunk))


def _list_jobs(connection: Connection, request: messages.ListJobsRequest) -> messages.ListJobsResponse:
    table = storage.jobs
    basic = request.view == messages.JOB_VIEW_BASIC
    query = select(*(storage.BASIC_COLUMNS if basic else storage.FULL_COLUMNS)).where(table.c.project == PROJECT)
    if request.states:
        query = query.where(table.c.state.in_([job_state_pb2.JobState.Name(state) for state in request.states]))
    if request.provider:
        query = query.where(table.c.provider == request.provider)
    if request.search:
        query = query.where(table.c.display_name.icontains(request.search, autoescape=True))
    rows, token = read_page(connection, query, table.c.id, request, ascending=request.order_by == "create_time")
    shown = convert.basic_job if basic else convert.job
    return messages.ListJobsResponse(jobs=[shown(row) for row in rows], next_page_token=token)


def _list_events(connection: Connection, request: messages.ListJobEventsRequest) -> messages.ListJobEventsResponse:
    storage.find_job(connection, request.job_id)
    size = page_size(request.page_size, EVENT_PAGE_SIZE)
    after = decode_token(request)
    after = request.after_sequence if after is None else int(after)
    rows, more = split_page(storage.events_after(connection, request.job_id, after, size + 1), size)
    token = encode_token(request, rows[-1]["sequence"]) if more else ""
    return messages.ListJobEventsResponse(events=[convert.event(row) for row in rows], next_page_token=token)


def _list_metrics(connection: Connection, request: messages.ListJobMetricsRequest) -> messages.ListJobMetricsResponse:
    storage.find_job(connection, request.job_id)
    after_step = request.after_step if request.HasField("after_step") else None
    rows = storage.chunks_by_key(connection, request.job_id, request.key)
    if request.max_points_per_series:
        series = convert.thinned_series(rows, request.max_points_per_series, after_step)
    else:
        series = convert.series(map(convert.chunk, rows), after_step)
    return messages.ListJobMetricsResponse(series=series)


def _list_artifacts(connection: Connection, request: messages.ListArtifactsRequest) -> messages.ListArtifactsResponse:
    storage.find_job(connection, request.job_id)
    table = storage.artifacts
    query = select(table).where(table.c.job_id == request.job_id)
    rows, token = read_page(connection, query, table.c.id, request, ascending=True, default_size=EVENT_PAGE_SIZE)
    return messages.ListArtifactsResponse(artifacts=[convert.artifact(row) for row in rows], next_page_token=token)
