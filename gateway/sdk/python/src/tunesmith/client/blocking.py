"""The client for callers that wait."""

import math
import os
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Self

from tunesmith.client import download, exporting, upload, watch
from tunesmith.client._generated import (
    AdapterService,
    JobService,
    ParameterService,
    PoolService,
    PreflightService,
    ProviderService,
    RecipeService,
    RegistryService,
)
from tunesmith.client.connection import address_of, open_channel
from tunesmith.client.download import Download, nothing_of, wanted
from tunesmith.client.errors import NotFound
from tunesmith.client.paging import gather
from tunesmith.client.upload import Source
from tunesmith.client.watching import OnBreak
from tunesmith.job.v1 import artifact_pb2, job_pb2
from tunesmith.job.v1.job_service_pb2 import WatchJobResponse, WatchJobsResponse
from tunesmith.registry.v1 import adapter_pb2, dataset_pb2


class Tunesmith:
    """A connection to a server, by `host:port` or URL; without one as TUNESMITH_HOST and TUNESMITH_PORT say.

    Its attributes are the services, with a method a call; its methods do what takes several. It connects at the first call, may
    be used by several threads, and is closed by `close` or by leaving its `with` block.
    """

    def __init__(self, server: str | None = None) -> None:
        self.address = address_of(server)
        self._channel = open_channel(self.address)
        name = str(self.address)
        self.jobs = JobService(self._channel, name)
        self.registry = RegistryService(self._channel, name)
        self.recipes = RecipeService(self._channel, name)
        self.adapters = AdapterService(self._channel, name)
        self.preflight = PreflightService(self._channel, name)
        self.pools = PoolService(self._channel, name)
        self.parameters = ParameterService(self._channel, name)
        self.providers = ProviderService(self._channel, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls that still run end with Cancelled."""
        self._channel.close()

    def watch_job(
        self,
        job_id: str,
        *,
        max_points_per_series: int = 0,
        give_up_s: float = watch.GIVE_UP_S,
        on_break: OnBreak | None = None,
    ) -> Generator[WatchJobResponse, None, None]:
        """What happens to a job until it is over: each event once, whatever becomes of the connection meanwhile.

        `max_points_per_series` thins what is stored of each metric series when the watch begins, so that its curve looks alike; 0
        brings all of it. `on_break` is told True when the stream breaks and False when it goes on. Raises Unavailable when
        nothing was heard for `give_up_s`.
        """
        return watch.watch_job(
            self.jobs, job_id, max_points_per_series=max_points_per_series, give_up_s=give_up_s, on_break=on_break
        )

    def watch_jobs(
        self, *, after_cursor: int = 0, give_up_s: float = math.inf, on_break: OnBreak | None = None
    ) -> Generator[WatchJobsResponse, None, None]:
        """Each job that changes from now on, as it then stands, whatever becomes of the connection; closing it ends it.

        To miss nothing, list the jobs once the first message is there. `after_cursor` is a message's cursor to go on from. A
        broken stream is taken up without end unless `give_up_s` says how long to try; `on_break` is told as `watch_job` tells it.
        """
        return watch.watch_jobs(self.jobs, after_cursor=after_cursor, give_up_s=give_up_s, on_break=on_break)

    def wait_for_job(self, job_id: str, *, give_up_s: float = watch.GIVE_UP_S) -> job_pb2.Job:
        """The job as it ended; its state says how."""
        return watch.wait_for_job(self.jobs, job_id, give_up_s)

    def upload_dataset(
        self,
        source: Source,
        *,
        filename: str | None = None,
        display_name: str | None = None,
        format: dataset_pb2.DatasetFormat | int | str | None = None,
        request_id: str | None = None,
        progress: upload.OnProgress | None = None,
    ) -> dataset_pb2.Dataset:
        """Upload rows from a path or a file that is open for reading bytes: JSONL, JSON, CSV or Parquet.

        `progress` is told the bytes sent so far. The server checks every row before this returns.
        """
        sending = upload.dataset_upload(source, filename, display_name, format, request_id, progress)
        return upload.upload_dataset(self.registry, sending)

    def upload_adapter(
        self,
        source: Source,
        *,
        base_model: str,
        display_name: str | None = None,
        description: str | None = None,
        request_id: str | None = None,
        progress: upload.OnProgress | None = None,
    ) -> adapter_pb2.Adapter:
        """Upload an adapter of a base model: a folder that PEFT's save_pretrained wrote, or a tar archive of one.

        Of a folder only the configuration, the safetensors file and the card are sent. `progress` is told the bytes sent so far.
        The server checks that the adapter fits before this returns.
        """
        sending = upload.adapter_upload(source, base_model, display_name, description, request_id, progress)
        return upload.upload_adapter(self.adapters, sending)

    def download_adapter(
        self,
        adapter_id: str,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: download.OnProgress | None = None,
    ) -> list[Path]:
        """Write an adapter's files into a folder, as PEFT loads it; answers the files.

        A file is written only if its SHA-256 is the one that was announced. What is there already is not fetched again;
        `overwrite` replaces other files. `progress` is told the bytes that are there so far.
        """
        adapter = self.adapters.get_adapter(id=adapter_id).adapter
        return download.download_adapter(self.adapters, adapter.id, Download(adapter.files, Path(folder), overwrite, progress))

    def export(
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
        """Create a job that makes something else of trained weights: of a job's result, or of a set of artifacts by its id.

        `format` is adapter, merged, gguf or onnx, `gguf_type` f32, f16, bf16 or q8_0, and `push_to` a repository on the hub, as
        user/name. `credential_id` names the worker's environment variable that holds the hub's token; HF_TOKEN if it is unset.
        """
        try:
            found = gather(self.jobs.list_artifacts, job_id=source).artifacts
        except NotFound:
            # No job: then it is a set of artifacts, or a file of one, and the server says so if it is not.
            artifact_id = source
        else:
            artifact_id = exporting.result_of(source, found)
        wanted_export = exporting.export_configuration(artifact_id, format, gguf_type, push_to, credential_id)
        response = self.jobs.create_job(
            provider=exporting.PROVIDER, export=wanted_export, display_name=display_name, request_id=request_id
        )
        return response.job

    def list_artifacts(self, job_id: str, kind: download.Kind | None = None) -> list[artifact_pb2.Artifact]:
        """The files of one kind that a job made; without a kind its result, an adapter or a model."""
        return wanted(gather(self.jobs.list_artifacts, job_id=job_id).artifacts, kind)

    def download_artifacts(
        self,
        job_id: str,
        folder: str | os.PathLike[str],
        kind: download.Kind | None = None,
        *,
        overwrite: bool = False,
        progress: download.OnProgress | None = None,
    ) -> list[Path]:
        """Write a job's result, or its artifacts of one kind, below a folder; answers the files.

        A file is written only if its SHA-256 is the one that was announced, and none outside of the folder. What is there already
        is not fetched again; `overwrite` replaces other files. `progress` is told the bytes that are there so far. Raises
        NotFound if the job has nothing of the kind.
        """
        artifacts = self.list_artifacts(job_id, kind)
        if not artifacts:
            raise nothing_of(job_id, kind)
        return download.download(self.jobs, Download(artifacts, Path(folder), overwrite, progress))
