"""A job service that holds sets of artifacts, answering over real gRPC."""

import hashlib
from collections.abc import AsyncIterator

import grpc
from google.api import httpbody_pb2
from tunesmith.job.v1 import artifact_pb2, job_pb2, job_service_pb2_grpc
from tunesmith.job.v1 import job_service_pb2 as messages

from services.chassis.errors import NotFound

CHUNK_BYTES = 100
JOB = "job"


class FakeJobs(job_service_pb2_grpc.JobServiceServicer):
    """Sets by the ids of their artifacts. `content` is what a download brings, which a test may change."""

    names = ("tunesmith.job.v1.JobService",)

    def __init__(self) -> None:
        self.sets: dict[str, list[artifact_pb2.Artifact]] = {}
        self.content: dict[str, bytes] = {}
        self.downloads: list[str] = []
        self.job = job_pb2.Job(id=JOB)

    def add_set(self, set_id: str, kind: artifact_pb2.ArtifactKind, files: dict[str, bytes]) -> str:
        """Store a set; the id of one of its artifacts."""
        artifacts = [
            artifact_pb2.Artifact(
                id=f"{set_id}/{name}",
                job_id=JOB,
                set_id=set_id,
                kind=kind,
                path=f"checkpoint-40/{name}",
                size_bytes=len(body),
                sha256=hashlib.sha256(body).hexdigest(),
            )
            for name, body in files.items()
        ]
        for artifact, body in zip(artifacts, files.values(), strict=True):
            self.sets[artifact.id] = artifacts
            self.content[artifact.id] = body
        return artifacts[-1].id

    def add_to(self, server: grpc.aio.Server) -> None:
        job_service_pb2_grpc.add_JobServiceServicer_to_server(self, server)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def close(self) -> None: ...

    async def GetJob(self, request: messages.GetJobRequest, context: grpc.aio.ServicerContext) -> messages.GetJobResponse:
        assert request.id == JOB
        return messages.GetJobResponse(job=self.job)

    async def GetArtifactSet(
        self, request: messages.GetArtifactSetRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetArtifactSetResponse:
        if request.artifact_id not in self.sets:
            raise NotFound("artifact", request.artifact_id, "GET /v1/jobs/{id}/artifacts lists a job's")
        return messages.GetArtifactSetResponse(artifacts=self.sets[request.artifact_id])

    async def DownloadArtifact(
        self, request: messages.DownloadArtifactRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[messages.DownloadArtifactResponse]:
        assert request.job_id == JOB
        self.downloads.append(request.artifact_id.partition("/")[2])
        body = self.content[request.artifact_id]
        for start in range(0, len(body), CHUNK_BYTES):
            yield messages.DownloadArtifactResponse(data=httpbody_pb2.HttpBody(data=body[start : start + CHUNK_BYTES]))
