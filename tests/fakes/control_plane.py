"""All public services on one port, answering what a test puts into them and keeping what they were asked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn, TypeVar

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from tunesmith.job.v1 import artifact_pb2, job_event_pb2, job_pb2, job_service_pb2_grpc, job_state_pb2, metric_pb2
from tunesmith.job.v1 import job_service_pb2 as jobs
from tunesmith.parameter.v1 import parameter_service_pb2 as parameter_messages
from tunesmith.parameter.v1 import parameter_service_pb2_grpc
from tunesmith.pool.v1 import pool_pb2, pool_service_pb2, pool_service_pb2_grpc
from tunesmith.preflight.v1 import preflight_service_pb2 as preflight_messages
from tunesmith.preflight.v1 import preflight_service_pb2_grpc, report_pb2
from tunesmith.provider.v1 import provider_service_pb2 as provider_messages
from tunesmith.provider.v1 import provider_service_pb2_grpc
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2, dataset_statistics_pb2, registry_service_pb2_grpc
from tunesmith.registry.v1 import registry_service_pb2 as registry

from services.parameter.usecases import parameters
from services.provider.usecases import provider
from workers.providers import PROVIDERS

CHUNK_BYTES = 1000

Item = TypeVar("Item")
WatchStep = jobs.WatchJobResponse | grpc.StatusCode


class FakeControlPlane(
    registry_service_pb2_grpc.RegistryServiceServicer,
    job_service_pb2_grpc.JobServiceServicer,
    pool_service_pb2_grpc.PoolServiceServicer,
    parameter_service_pb2_grpc.ParameterServiceServicer,
    provider_service_pb2_grpc.ProviderServiceServicer,
    preflight_service_pb2_grpc.PreflightServiceServicer,
):
    """Set the attributes, call, then look at `requests`."""

    def __init__(self) -> None:
        self.requests: list[Message] = []
        self.refusal: status_pb2.Status | None = None
        self.base_models: list[base_model_pb2.BaseModel] = []
        # How far a download is at each look, or None: it has failed.
        self.download_steps: list[float | None] = []
        self.datasets: list[dataset_pb2.Dataset] = []
        self.preview = registry.PreviewDatasetResponse()
        self.statistics = dataset_statistics_pb2.DatasetStatistics()
        self.conversion = registry.ConvertDatasetResponse()
        self.script = jobs.GetJobScriptResponse()
        self.jobs: list[job_pb2.Job] = []
        self.events: list[job_event_pb2.JobEvent] = []
        self.series: list[metric_pb2.MetricSeries] = []
        self.artifacts: list[artifact_pb2.Artifact] = []
        self.content: dict[str, bytes] = {}
        self.pools: list[pool_pb2.Pool] = []
        # Jobs are created only by who accepts it.
        self.warning = ""
        # What each check answers; the last one answers all that follow.
        self.reports: list[report_pb2.Report] = [report_pb2.Report(ok=True)]
        # Asked for a job's artifacts, it knows no such job.
        self.no_such_job = False
        # A code and a message that creations alone are answered with.
        self.refuse_creation: tuple[int, str] | None = None
        # What each watch says, one list a stream; a code breaks the stream there.
        self.watches: list[list[WatchStep]] = []
        self._server = grpc.server(ThreadPoolExecutor(4))
        registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(self, self._server)
        job_service_pb2_grpc.add_JobServiceServicer_to_server(self, self._server)
        pool_service_pb2_grpc.add_PoolServiceServicer_to_server(self, self._server)
        parameter_service_pb2_grpc.add_ParameterServiceServicer_to_server(self, self._server)
        provider_service_pb2_grpc.add_ProviderServiceServicer_to_server(self, self._server)
        preflight_service_pb2_grpc.add_PreflightServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def refuse(self, code: int, message: str, *details: Message) -> None:
        """Answer the next calls with an error."""
        self.refusal = status_pb2.Status(code=code, message=message)
        for detail in details:
            self.refusal.details.add().Pack(detail)

    def refuse_fields(self, *violations: tuple[str, str]) -> None:
        """Answer the next calls with field violations."""
        bad_request = error_details_pb2.BadRequest()
        for field, description in violations:
            bad_request.field_violations.add(field=field, description=description)
        self.refuse(code_pb2.INVALID_ARGUMENT, "; ".join(text for _, text in violations), bad_request)

    def CreateBaseModel(
        self, request: registry.CreateBaseModelRequest, context: grpc.ServicerContext
    ) -> registry.CreateBaseModelResponse:
        self._begin(request, context)
        return registry.CreateBaseModelResponse(base_model=self.base_models[0])

    def GetBaseModel(self, request: registry.GetBaseModelRequest, context: grpc.ServicerContext) -> registry.GetBaseModelResponse:
        self._begin(request, context)
        model = self.base_models[0]
        if model.cache_status == base_model_pb2.CACHE_STATUS_DOWNLOADING:
            self._advance(model)
        return registry.GetBaseModelResponse(base_model=model)

    def ListBaseModels(
        self, request: registry.ListBaseModelsRequest, context: grpc.ServicerContext
    ) -> registry.ListBaseModelsResponse:
        self._begin(request, context)
        page, token = _page(self.base_models, request)
        return registry.ListBaseModelsResponse(base_models=page, next_page_token=token)

    def UpdateBaseModel(
        self, request: registry.UpdateBaseModelRequest, context: grpc.ServicerContext
    ) -> registry.UpdateBaseModelResponse:
        self._begin(request, context)
        return registry.UpdateBaseModelResponse(base_model=self.base_models[0])

    def DeleteBaseModel(
        self, request: registry.DeleteBaseModelRequest, context: grpc.ServicerContext
    ) -> registry.DeleteBaseModelResponse:
        self._begin(request, context)
        return registry.DeleteBaseModelResponse()

    def DownloadBaseModel(
        self, request: registry.DownloadBaseModelRequest, context: grpc.ServicerContext
    ) -> registry.DownloadBaseModelResponse:
        self._begin(request, context)
        model = self.base_models[0]
        model.cache_status = base_model_pb2.CACHE_STATUS_DOWNLOADING
        self._advance(model)
        return registry.DownloadBaseModelResponse(base_model=model)

    def _advance(self, model: base_model_pb2.BaseModel) -> None:
        step = self.download_steps.pop(0)
        if step is None:
            model.cache_status = base_model_pb2.CACHE_STATUS_NOT_CACHED
            model.download.state, model.download.error = base_model_pb2.DOWNLOAD_STATE_FAILED, "the hub went away; ask again"
        elif step == 1:
            model.cache_status = base_model_pb2.CACHE_STATUS_CACHED
            model.ClearField("download")
        else:
            model.download.state = base_model_pb2.DOWNLOAD_STATE_RUNNING
            model.download.done_bytes, model.download.total_bytes = int(step * model.download_bytes), model.download_bytes
            model.download.remaining_seconds = 70

    def UploadDataset(
        self, request_iterator: Iterator[registry.UploadDatasetRequest], context: grpc.ServicerContext
    ) -> registry.UploadDatasetResponse:
        for request in request_iterator:
            self._begin(request, context)
        return registry.UploadDatasetResponse(dataset=self.datasets[0])

    def GetDataset(self, request: registry.GetDatasetRequest, context: grpc.ServicerContext) -> registry.GetDatasetResponse:
        self._begin(request, context)
        return registry.GetDatasetResponse(dataset=self.datasets[0])

    def ListDatasets(self, request: registry.ListDatasetsRequest, context: grpc.ServicerContext) -> registry.ListDatasetsResponse:
        self._begin(request, context)
        page, token = _page(self.datasets, request)
        return registry.ListDatasetsResponse(datasets=page, next_page_token=token)

    def PreviewDataset(
        self, request: registry.PreviewDatasetRequest, context: grpc.ServicerContext
    ) -> registry.PreviewDatasetResponse:
        self._begin(request, context)
        return self.preview

    def UpdateDataset(
        self, request: registry.UpdateDatasetRequest, context: grpc.ServicerContext
    ) -> registry.UpdateDatasetResponse:
        self._begin(request, context)
        return registry.UpdateDatasetResponse(dataset=self.datasets[0])

    def DeleteDataset(
        self, request: registry.DeleteDatasetRequest, context: grpc.ServicerContext
    ) -> registry.DeleteDatasetResponse:
        self._begin(request, context)
        return registry.DeleteDatasetResponse()

    def GetDatasetStatistics(
        self, request: registry.GetDatasetStatisticsRequest, context: grpc.ServicerContext
    ) -> registry.GetDatasetStatisticsResponse:
        self._begin(request, context)
        return registry.GetDatasetStatisticsResponse(statistics=self.statistics)

    def ConvertDataset(
        self, request: registry.ConvertDatasetRequest, context: grpc.ServicerContext
    ) -> registry.ConvertDatasetResponse:
        self._begin(request, context)
        return self.conversion

    def VerifyDataset(
        self, request: registry.VerifyDatasetRequest, context: grpc.ServicerContext
    ) -> registry.VerifyDatasetResponse:
        self._begin(request, context)
        return registry.VerifyDatasetResponse(dataset=self.datasets[0])

    def CreateJob(self, request: jobs.CreateJobRequest, context: grpc.ServicerContext) -> jobs.CreateJobResponse:
        self._begin(request, context)
        if self.refuse_creation is not None:
            _abort(context, status_pb2.Status(code=self.refuse_creation[0], message=self.refuse_creation[1]))
        if self.warning and not request.accept_warnings:
            warned = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message=self.warning)
            warned.details.add().Pack(error_details_pb2.ErrorInfo(reason="WARNINGS_NOT_ACCEPTED"))
            _abort(context, warned)
        return jobs.CreateJobResponse(job=self.jobs[0])

    def GetJob(self, request: jobs.GetJobRequest, context: grpc.ServicerContext) -> jobs.GetJobResponse:
        self._begin(request, context)
        return jobs.GetJobResponse(job=self.jobs[0])

    def ListJobs(self, request: jobs.ListJobsRequest, context: grpc.ServicerContext) -> jobs.ListJobsResponse:
        self._begin(request, context)
        page, token = _page(self.jobs, request)
        return jobs.ListJobsResponse(jobs=page, next_page_token=token)

    def CancelJob(self, request: jobs.CancelJobRequest, context: grpc.ServicerContext) -> jobs.CancelJobResponse:
        self._begin(request, context)
        job = job_pb2.Job()
        job.CopyFrom(self.jobs[0])
        job.state = job_state_pb2.JOB_STATE_CANCELLING
        return jobs.CancelJobResponse(job=job)

    def PauseJob(self, request: jobs.PauseJobRequest, context: grpc.ServicerContext) -> jobs.PauseJobResponse:
        self._begin(request, context)
        job = job_pb2.Job(pause_requested=True)
        job.MergeFrom(self.jobs[0])
        return jobs.PauseJobResponse(job=job)

    def ResumeJob(self, request: jobs.ResumeJobRequest, context: grpc.ServicerContext) -> jobs.ResumeJobResponse:
        self._begin(request, context)
        return jobs.ResumeJobResponse(job=self.jobs[0])

    def WatchJob(self, request: jobs.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[jobs.WatchJobResponse]:
        self._begin(request, context)
        for step in self.watches.pop(0):
            if isinstance(step, grpc.StatusCode):
                context.abort(step, "the stream broke")
            yield step

    def ListJobEvents(self, request: jobs.ListJobEventsRequest, context: grpc.ServicerContext) -> jobs.ListJobEventsResponse:
        self._begin(request, context)
        page, token = _page(self.events, request)
        return jobs.ListJobEventsResponse(events=page, next_page_token=token)

    def ListJobMetrics(self, request: jobs.ListJobMetricsRequest, context: grpc.ServicerContext) -> jobs.ListJobMetricsResponse:
        self._begin(request, context)
        return jobs.ListJobMetricsResponse(series=[one for one in self.series if request.key in ("", one.key)])

    def GetJobScript(self, request: jobs.GetJobScriptRequest, context: grpc.ServicerContext) -> jobs.GetJobScriptResponse:
        self._begin(request, context)
        return self.script

    def ListArtifacts(self, request: jobs.ListArtifactsRequest, context: grpc.ServicerContext) -> jobs.ListArtifactsResponse:
        self._begin(request, context)
        if self.no_such_job:
            _abort(context, status_pb2.Status(code=code_pb2.NOT_FOUND, message="no such job; GET /v1/jobs lists them"))
        page, token = _page(self.artifacts, request)
        return jobs.ListArtifactsResponse(artifacts=page, next_page_token=token)

    def DownloadArtifact(
        self, request: jobs.DownloadArtifactRequest, context: grpc.ServicerContext
    ) -> Iterator[jobs.DownloadArtifactResponse]:
        self._begin(request, context)
        content = self.content[request.artifact_id]
        for start in range(0, len(content), CHUNK_BYTES):
            yield jobs.DownloadArtifactResponse(data=HttpBody(data=content[start : start + CHUNK_BYTES]))

    def ListPools(
        self, request: pool_service_pb2.ListPoolsRequest, context: grpc.ServicerContext
    ) -> pool_service_pb2.ListPoolsResponse:
        self._begin(request, context)
        return pool_service_pb2.ListPoolsResponse(pools=self.pools)

    def ListParameters(
        self, request: parameter_messages.ListParametersRequest, context: grpc.ServicerContext
    ) -> parameter_messages.ListParametersResponse:
        self._begin(request, context)
        return parameter_messages.ListParametersResponse(parameters=parameters())

    def ListProviders(
        self, request: provider_messages.ListProvidersRequest, context: grpc.ServicerContext
    ) -> provider_messages.ListProvidersResponse:
        self._begin(request, context)
        return provider_messages.ListProvidersResponse(providers=[provider(backend) for backend in PROVIDERS.values()])

    def GetProvider(
        self, request: provider_messages.GetProviderRequest, context: grpc.ServicerContext
    ) -> provider_messages.GetProviderResponse:
        self._begin(request, context)
        return provider_messages.GetProviderResponse(provider=provider(PROVIDERS[request.id]))

    def CheckConfiguration(
        self, request: preflight_messages.CheckConfigurationRequest, context: grpc.ServicerContext
    ) -> preflight_messages.CheckConfigurationResponse:
        self._begin(request, context)
        report = self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]
        return preflight_messages.CheckConfigurationResponse(report=report)

    def _begin(self, request: Message, context: grpc.ServicerContext) -> None:
        copy = type(request)()
        copy.CopyFrom(request)
        self.requests.append(copy)
        if self.refusal is not None:
            _abort(context, self.refusal)


def _abort(context: grpc.ServicerContext, status: status_pb2.Status) -> NoReturn:
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status raises")


def _page(items: list[Item], request: Message) -> tuple[list[Item], str]:
    """A page whose token is where the next one begins."""
    start = int(request.page_token or 0)  # type: ignore[attr-defined]
    end = start + (request.page_size or 50)  # type: ignore[attr-defined]
    return items[start:end], str(end) if end < len(items) else ""
