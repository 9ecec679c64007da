"""The state of things through the public API, asked again for as long as nobody answers."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
from tunesmith.job.v1 import job_event_pb2, job_pb2, job_state_pb2
from tunesmith.job.v1 import job_service_pb2 as messages
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub

from tests.chaos.clients import CALL_TIMEOUT_S, REFUSALS, RETRY_S
from tests.chaos.history import Artifact, Event, JobRecord

PAGE_SIZE = 200


class Reader:
    """Reads whole lists."""

    def __init__(self, jobs: JobServiceStub) -> None:
        self._jobs = jobs

    async def all_jobs(self) -> list[job_pb2.Job]:
        """Every job there is."""
        return [job async for page in self._pages(self._jobs.ListJobs, messages.ListJobsRequest()) for job in page.jobs]

    async def events(self, job_id: str) -> list[Event]:
        """All events of a job."""
        pages = self._pages(self._jobs.ListJobEvents, messages.ListJobEventsRequest(job_id=job_id))
        return [_event(event) async for page in pages for event in page.events]

    async def artifacts(self, job_id: str) -> list[Artifact]:
        """All that is listed of a job."""
        pages = self._pages(self._jobs.ListArtifacts, messages.ListArtifactsRequest(job_id=job_id))
        return [
            Artifact(one.id, one.set_id, one.path, one.size_bytes, one.sha256) async for page in pages for one in page.artifacts
        ]

    async def series(self, job_id: str) -> dict[str, dict[int, float]]:
        """All metrics of a job."""
        answer = await self._ask(self._jobs.ListJobMetrics, messages.ListJobMetricsRequest(job_id=job_id))
        return {series.key: {point.step: point.value for point in series.points} for series in answer.series}

    async def download(self, job_id: str, artifact_id: str) -> tuple[int, str]:
        """Size and SHA-256 of what a download gives. Raises AioRpcError at once if it breaks."""
        digest, size = hashlib.sha256(), 0
        request = messages.DownloadArtifactRequest(job_id=job_id, artifact_id=artifact_id)
        async for message in self._jobs.DownloadArtifact(request, timeout=CALL_TIMEOUT_S):
            digest.update(message.data.data)
            size += len(message.data.data)
        return size, digest.hexdigest()

    async def record(self, job: job_pb2.Job, variant: str) -> JobRecord:
        """A job with all that belongs to it."""
        return JobRecord(
            id=job.id,
            display_name=job.display_name,
            state=job_state_pb2.JobState.Name(job.state),
            variant=variant,
            events=await self.events(job.id),
            series=await self.series(job.id),
            artifacts=await self.artifacts(job.id),
        )

    async def _pages(self, method: Any, request: Any) -> AsyncIterator[Any]:
        request.page_size = PAGE_SIZE
        while True:
            page = await self._ask(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _ask(self, method: Any, request: Any) -> Any:
        while True:
            try:
                return await method(request, timeout=CALL_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                if error.code() in REFUSALS:
                    raise
            await asyncio.sleep(RETRY_S)


def _event(event: job_event_pb2.JobEvent) -> Event:
    return Event(
        sequence=event.sequence,
        type=job_event_pb2.JobEventType.Name(event.type),
        state=job_state_pb2.JobState.Name(event.state),
        attempt=event.attempt,
        message=event.message,
    )
