"""The client for an event loop."""

import math
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import Self

from tunesmith.client import download, exporting, upload, watch
from tunesmith.client._generated import (
    AsyncAdapterService,
    AsyncJobService,
    AsyncParameterService,
    AsyncPoolService,
    AsyncPreflightService,
    AsyncProviderService,
    AsyncRecipeService,
    AsyncRegistryService,
)
from tunesmith.client.connection import address_of, open_async_channel
from tunesmith.client.download import Download, nothing_of, wanted
from tunesmith.client.errors import NotFound
from tunesmith.client.paging import gather_async
from tunesmith.client.upload import Source
from tunesmith.client.watching import OnBreak
from tunesmith.job.v1 import artifact_pb2, job_pb2
from tunesmith.job.v1.job_service_pb2 import WatchJobResponse, WatchJobsResponse
from tunesmith.registry.v1 import adapter_pb2, dataset_pb2


class AsyncTunesmith:
    """`Tunesmith` for an event loop: the same attributes and methods, to be awaited. Make it where the loop runs."""

    def __init__(self, server: str | None = None) -> None:
        self.address = address_of(server)
        self._channel = open_async_channel(self.address)
        name = str(self.address)
        self.jobs = AsyncJobService(self._channel, name)
        self.registry = AsyncRegistryService(self._channel, name)
        self.recipes = AsyncRecipeService(self._channel, name)
        self.adapters = AsyncAdapterService(self._channel, name)
        self.preflight = AsyncPreflightService(self._channel, name)
        self.pools = AsyncPoolService(self._channel, name)
        self.parameters = AsyncParameterService(self._channel, name)
        self.providers = AsyncProviderService(self._channel, name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls that still run end with Cancelled."""
        await self._channel.close()

    def watch_job(
        self,
        job_id: str,
        *,
        max_points_per_series: int = 0,
        give_up_s: float = watch.GIVE_UP_S,
        on_break: OnBreak | None = None,
    ) -> AsyncGenerator[WatchJobResponse, None]:
        """As `Tunesmith.watch_job`. Cancelling its reader, or closing it, ends the stream."""
        return watch.watch_job_async(
            self.jobs, job_id, max_points_per_series=max_points_per_series, give_up_s=give_up_s, on_break=on_break
        )

    def watch_jobs(
        self, *, after_cursor: int = 0, give_up_s: float = math.inf, on_break: OnBreak | None = None
    ) -> AsyncGenerator[WatchJobsResponse, None]:
        """As `Tunesmith.watch_jobs`. Cancelling its reader, or closing it, ends the stream."""
        return watch.watch_jobs_async(self.jobs, after_cursor=after_cursor, give_up_s=give_up_s, on_break=on_break)

    async def wait_for_job(self, job_id: str, *, give_up_s: float = watch.GIVE_UP_S) -> job_pb2.Job:
        """As `Tunesmith.wait_for_job`."""
        return await watch.wait_for_job_async(self.jobs, job_id, give_up_s)

    async def upload_dataset(
        self,
        source: Source,
        *,
        filename: str | None = None,
        display_name: str | None = None,
        format: dataset_pb2.DatasetFormat | int | str | None = None,
        request_id: str | None = None,
        progress: upload.OnProgress | None = None,
    ) -> dataset_pb2.Dataset:
        """As `Tunesmith.upload_dataset`; the file is read in a thread."""
        sending = upload.dataset_upload(source, filename, display_name, format, request_id, progress)
        return await upload.upload_dataset_async(self.registry, sending)

    async def upload_adapter(
        self,
        source: Source,
        *,
        base_model: str,
        display_name: str | None = None,
        description: str | None = None,
        request_id: str | None = None,
        progress: upload.OnProgress | None = None,
    ) -> adapter_pb2.Adapter:
        """As `Tunesmith.upload_adapter`; the files are read in a thread."""
        sending = upload.adapter_upload(source, base_model, display_name, description, request_id, progress)
        return await upload.upload_adapter_async(self.adapters, sending)

    async def download_adapter(
        self,
        adapter_id: str,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: download.OnProgress | None = None,
    ) -> list[Path]:
        """As `Tunesmith.download_adapter`."""
        adapter = (await self.adapters.get_adapter(id=adapter_id)).adapter
        wanted_files = Download(adapter.files, Path(folder), overwrite, progress)
        return await download.download_adapter_async(self.adapters, adapter.id, wanted_files)

    async def export(
        self,
        source: str,
        format: exporting.Format,
        *,
        gguf_type: exporting.Type | None = None,
        push_to: str | None = None,
        credential_id: str | None = None,
        display_name: str | None = None,
        request_id: str | None = None,
    ) -> job_pb2.Job:
        """As `Tunesmith.export`."""
        try:
            found = (await gather_async(self.jobs.list_artifacts, job_id=source)).artifacts
        except NotFound:
            # No job: then it is a set of artifacts, or a file of one, and the server says so if it is not.
            artifact_id = source
        else:
            artifact_id = exporting.result_of(source, found)
        wanted_export = exporting.export_configuration(artifact_id, format, gguf_type, push_to, credential_id)
        response = await self.jobs.create_job(
            provider=exporting.PROVIDER, export=wanted_export, display_name=display_name, request_id=request_id
        )
        return response.job

    async def list_artifacts(self, job_id: str, kind: download.Kind | None = None) -> list[artifact_pb2.Artifact]:
        """As `Tunesmith.list_artifacts`."""
        answer = await gather_async(self.jobs.list_artifacts, job_id=job_id)
        return wanted(answer.artifacts, kind)

    async def download_artifacts(
        self,
        job_id: str,
        folder: str | os.PathLike[str],
        kind: download.Kind | None = None,
        *,
        overwrite: bool = False,
        progress: download.OnProgress | None = None,
    ) -> list[Path]:
        """As `Tunesmith.download_artifacts`."""
        artifacts = await self.list_artifacts(job_id, kind)
        if not artifacts:
            raise nothing_of(job_id, kind)
        return await download.download_async(self.jobs, Download(artifacts, Path(folder), overwrite, progress))
