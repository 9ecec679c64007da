"""A model or an adapter that a job trained, fetched from the job service."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import grpc
from tunesmith.job.v1 import artifact_pb2, job_service_pb2
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub
from tunesmith.registry.v1 import base_model_pb2

from services.chassis.errors import FailedPrecondition, Unavailable
from services.registry.importing.files import ADAPTER
from services.registry.importing.incoming_file import IncomingFile
from services.registry.importing.refused import Refused
from services.registry.uninterrupted import to_the_end

_MODEL_KINDS = (artifact_pb2.ARTIFACT_KIND_MODEL, artifact_pb2.ARTIFACT_KIND_CHECKPOINT)
ADAPTER_KINDS = (artifact_pb2.ARTIFACT_KIND_ADAPTER, artifact_pb2.ARTIFACT_KIND_CHECKPOINT)


class ArtifactSet:
    """The files of one set."""

    def __init__(self, stub: JobServiceStub, artifact_id: str, artifacts: Sequence[artifact_pb2.Artifact]) -> None:
        self._stub = stub
        self.kind = artifacts[0].kind
        # A path is the set's name, then the file's in it.
        self._by_name = {artifact.path.partition("/")[2]: artifact for artifact in artifacts}
        self.set_id = artifacts[0].set_id
        self.lineage = base_model_pb2.BaseModelLineage(job_id=artifacts[0].job_id, artifact_id=artifact_id)
        self.label = f"{artifacts[0].path.partition('/')[0]} of job {self.lineage.job_id}"

    @property
    def names(self) -> Sequence[str]:
        return list(self._by_name)

    async def fetch(self, name: str, folder: Path) -> base_model_pb2.BaseModelFile:
        """Copy one file. Raises FailedPrecondition if its bytes are not those that were stored."""
        artifact = self._by_name[name]
        request = job_service_pb2.DownloadArtifactRequest(job_id=artifact.job_id, artifact_id=artifact.id)
        target = IncomingFile(folder, name)
        try:
            async for response in self._stub.DownloadArtifact(request):
                await to_the_end(asyncio.to_thread(target.write, response.data.data))
                if target.size_bytes > artifact.size_bytes:
                    break
            file = await to_the_end(asyncio.to_thread(target.finish))
        except grpc.aio.AioRpcError as error:
            raise told(error) from error
        finally:
            target.close()
        if (file.size_bytes, file.sha256) != (artifact.size_bytes, artifact.sha256):
            text = f"{artifact.path} of job {artifact.job_id} is not what the job stored; try again, or import another checkpoint"
            raise FailedPrecondition("ARTIFACT_DAMAGED", text)
        return file


async def find_set(
    channel: grpc.aio.Channel,
    artifact_id: str,
    kinds: Sequence[artifact_pb2.ArtifactKind] = _MODEL_KINDS,
    otherwise: str = ADAPTER,
) -> ArtifactSet:
    """The set an artifact belongs to. Raises Refused, saying `otherwise`, for other kinds, or what the job service answers."""
    stub = JobServiceStub(channel)
    try:
        response = await stub.GetArtifactSet(job_service_pb2.GetArtifactSetRequest(artifact_id=artifact_id))
    except grpc.aio.AioRpcError as error:
        raise told(error) from error
    if response.artifacts[0].kind not in kinds:
        raise Refused(otherwise)
    return ArtifactSet(stub, artifact_id, response.artifacts)


def told(error: grpc.aio.AioRpcError) -> Exception:
    """What the job service answered, or that it did not."""
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return Unavailable("JOB_SERVICE_UNAVAILABLE", "the job service does not answer just now; try again in a moment")
    return error
