"""The services as the gateway sees them: real generated servicers, with answers that follow from the question.

Run as a program, so that a test may block on its own sockets, and so that each process's memory is its own.
"""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator

import grpc
from google.api import httpbody_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from tunesmith.job.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc, job_state_pb2
from tunesmith.parameter.v1 import parameter_service_pb2, parameter_service_pb2_grpc
from tunesmith.pool.v1 import pool_pb2, pool_service_pb2, pool_service_pb2_grpc
from tunesmith.preflight.v1 import preflight_service_pb2, preflight_service_pb2_grpc
from tunesmith.provider.v1 import provider_pb2, provider_service_pb2, provider_service_pb2_grpc
from tunesmith.registry.v1 import (
    adapter_pb2,
    adapter_service_pb2,
    adapter_service_pb2_grpc,
    dataset_pb2,
    recipe_pb2,
    recipe_service_pb2,
    recipe_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
)
from tunesmith.worker.v1 import worker_service_pb2, worker_service_pb2_grpc

SERVICE_NAMES = (
    "tunesmith.registry.v1.RegistryService",
    "tunesmith.registry.v1.RecipeService",
    "tunesmith.registry.v1.AdapterService",
    "tunesmith.job.v1.JobService",
    "tunesmith.pool.v1.PoolService",
    "tunesmith.parameter.v1.ParameterService",
    "tunesmith.provider.v1.ProviderService",
    "tunesmith.preflight.v1.PreflightService",
    "tunesmith.worker.v1.WorkerService",
)
DOWNLOAD_CHUNK_BYTES = 1024 * 1024
WATCH_PAUSE_S = 0.3


async def refuse(context: grpc.aio.ServicerContext, field: str, text: str) -> None:
    """End a call as the services do: INVALID_ARGUMENT with the field in google.rpc.BadRequest."""
    status = status_pb2.Status(code=3, message=f"{field}: {text}")
    violations = [error_details_pb2.BadRequest.FieldViolation(field=field, description=text)]
    status.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
    trailing = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, status.message, trailing)


class FakeRegistry(registry_service_pb2_grpc.RegistryServiceServicer):
    """Hashes what is uploaded and keeps nothing of it."""

    async def UploadDataset(
        self, request_iterator: AsyncIterator[registry_service_pb2.UploadDatasetRequest], context: grpc.aio.ServicerContext
    ) -> registry_service_pb2.UploadDatasetResponse:
        digest, size, filename, display_name = hashlib.sha256(), 0, "", ""
        async for request in request_iterator:
            filename = request.filename or filename
            display_name = request.display_name or display_name
            digest.update(request.data.data)
            size += len(request.data.data)
            if filename == "bad.jsonl":
                await refuse(context, "data", "line 1 is not JSON; repair it and upload again")
        dataset = dataset_pb2.Dataset(
            id="d1", filename=filename, display_name=display_name, size_bytes=size, source_sha256=digest.hexdigest()
        )
        return registry_service_pb2.UploadDatasetResponse(dataset=dataset)

    async def GetDataset(
        self, request: registry_service_pb2.GetDatasetRequest, context: grpc.aio.ServicerContext
    ) -> registry_service_pb2.GetDatasetResponse:
        return registry_service_pb2.GetDatasetResponse(dataset=dataset_pb2.Dataset(id=request.id))

    async def GetBaseModel(
        self, request: registry_service_pb2.GetBaseModelRequest, context: grpc.aio.ServicerContext
    ) -> registry_service_pb2.GetBaseModelResponse:
        response = registry_service_pb2.GetBaseModelResponse()
        response.base_model.id = request.id
        return response


class FakeJobs(job_service_pb2_grpc.JobServiceServicer):
    """Knows every job but `missing`. An artifact's id is its size in bytes."""

    async def CreateJob(
        self, request: job_service_pb2.CreateJobRequest, context: grpc.aio.ServicerContext
    ) -> job_service_pb2.CreateJobResponse:
        if not request.provider:
            await refuse(context, "provider", "is required; send local")
        job = job_pb2.Job(id="j1", display_name=request.display_name, state=job_state_pb2.JOB_STATE_QUEUED)
        return job_service_pb2.CreateJobResponse(job=job)

    async def GetJob(
        self, request: job_service_pb2.GetJobRequest, context: grpc.aio.ServicerContext
    ) -> job_service_pb2.GetJobResponse:
        if request.id == "missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "job 'missing' does not exist; list the jobs there are")
        return job_service_pb2.GetJobResponse(job=job_pb2.Job(id=request.id, state=job_state_pb2.JOB_STATE_RUNNING))

    async def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: grpc.aio.ServicerContext
    ) -> job_service_pb2.ListJobsResponse:
        return job_service_pb2.ListJobsResponse(jobs=[job_pb2.Job(id="j1", state=state) for state in request.states])

    async def WatchJob(
        self, request: job_service_pb2.WatchJobRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[job_service_pb2.WatchJobResponse]:
        for state in (job_state_pb2.JOB_STATE_QUEUED, job_state_pb2.JOB_STATE_RUNNING, job_state_pb2.JOB_STATE_SUCCEEDED):
            yield job_service_pb2.WatchJobResponse(job=job_pb2.Job(id=request.id, state=state))
            await asyncio.sleep(WATCH_PAUSE_S)

    async def WatchJobs(
        self, request: job_service_pb2.WatchJobsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[job_service_pb2.WatchJobsResponse]:
        for cursor in range(request.after_cursor + 1, request.after_cursor + 4):
            job = job_pb2.Job(id=f"j{cursor}", state=job_state_pb2.JOB_STATE_RUNNING)
            yield job_service_pb2.WatchJobsResponse(jobs=[job], cursor=cursor)
            await asyncio.sleep(WATCH_PAUSE_S)

    async def DownloadArtifactSet(
        self, request: job_service_pb2.DownloadArtifactSetRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[job_service_pb2.DownloadArtifactSetResponse]:
        if request.artifact_id == "missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "artifact 'missing' does not exist; list the job's artifacts")
        await context.send_initial_metadata((("content-disposition", 'attachment; filename="adapter-j7.tar"'),))
        chunk = bytes(DOWNLOAD_CHUNK_BYTES)
        for offset in range(0, int(request.artifact_id), len(chunk)):
            body = httpbody_pb2.HttpBody(content_type="application/x-tar", data=chunk[: int(request.artifact_id) - offset])
            yield job_service_pb2.DownloadArtifactSetResponse(data=body)

    async def DownloadArtifact(
        self, request: job_service_pb2.DownloadArtifactRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[job_service_pb2.DownloadArtifactResponse]:
        if request.artifact_id == "missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "artifact 'missing' does not exist; list the job's artifacts")
        chunk = bytes(range(256)) * (DOWNLOAD_CHUNK_BYTES // 256)
        for offset in range(0, int(request.artifact_id), len(chunk)):
            piece = chunk[: int(request.artifact_id) - offset]
            body = httpbody_pb2.HttpBody(content_type="application/octet-stream", data=piece)
            yield job_service_pb2.DownloadArtifactResponse(data=body)


class FakePools(pool_service_pb2_grpc.PoolServiceServicer):
    async def ListPools(
        self, request: pool_service_pb2.ListPoolsRequest, context: grpc.aio.ServicerContext
    ) -> pool_service_pb2.ListPoolsResponse:
        return pool_service_pb2.ListPoolsResponse(pools=[pool_pb2.Pool(id="p1", state=pool_pb2.POOL_STATE_READY)])


class FakeParameters(parameter_service_pb2_grpc.ParameterServiceServicer):
    async def ListParameters(
        self, request: parameter_service_pb2.ListParametersRequest, context: grpc.aio.ServicerContext
    ) -> parameter_service_pb2.ListParametersResponse:
        return parameter_service_pb2.ListParametersResponse()


class FakeProviders(provider_service_pb2_grpc.ProviderServiceServicer):
    """Knows every provider but `missing`."""

    async def ListProviders(
        self, request: provider_service_pb2.ListProvidersRequest, context: grpc.aio.ServicerContext
    ) -> provider_service_pb2.ListProvidersResponse:
        return provider_service_pb2.ListProvidersResponse(providers=[provider_pb2.Provider(id="local")])

    async def GetProvider(
        self, request: provider_service_pb2.GetProviderRequest, context: grpc.aio.ServicerContext
    ) -> provider_service_pb2.GetProviderResponse:
        if request.id == "missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "provider 'missing' does not exist; there are: local")
        return provider_service_pb2.GetProviderResponse(provider=provider_pb2.Provider(id=request.id))

    async def TranslateConfiguration(
        self, request: provider_service_pb2.TranslateConfigurationRequest, context: grpc.aio.ServicerContext
    ) -> provider_service_pb2.TranslateConfigurationResponse:
        response = provider_service_pb2.TranslateConfigurationResponse()
        response.payload.update({"for": request.id, "epochs": request.configuration.schedule.epochs})
        return response


class FakeRecipes(recipe_service_pb2_grpc.RecipeServiceServicer):
    """Answers what it was told."""

    async def GetRecipe(
        self, request: recipe_service_pb2.GetRecipeRequest, context: grpc.aio.ServicerContext
    ) -> recipe_service_pb2.GetRecipeResponse:
        return recipe_service_pb2.GetRecipeResponse(recipe=recipe_pb2.Recipe(id=request.id))

    async def UpdateRecipe(
        self, request: recipe_service_pb2.UpdateRecipeRequest, context: grpc.aio.ServicerContext
    ) -> recipe_service_pb2.UpdateRecipeResponse:
        recipe = recipe_pb2.Recipe(id=request.id, display_name=request.recipe.display_name)
        return recipe_service_pb2.UpdateRecipeResponse(recipe=recipe)

    async def DeleteRecipe(
        self, request: recipe_service_pb2.DeleteRecipeRequest, context: grpc.aio.ServicerContext
    ) -> recipe_service_pb2.DeleteRecipeResponse:
        return recipe_service_pb2.DeleteRecipeResponse()


class FakeAdapters(adapter_service_pb2_grpc.AdapterServiceServicer):
    """Counts what is uploaded."""

    async def UploadAdapter(
        self, request_iterator: AsyncIterator[adapter_service_pb2.UploadAdapterRequest], context: grpc.aio.ServicerContext
    ) -> adapter_service_pb2.UploadAdapterResponse:
        size, base_model = 0, ""
        async for request in request_iterator:
            base_model = request.base_model or base_model
            size += len(request.data.data)
        adapter = adapter_pb2.Adapter(id="a1", base_model_id=base_model, size_bytes=size)
        return adapter_service_pb2.UploadAdapterResponse(adapter=adapter)

    async def UpdateAdapter(
        self, request: adapter_service_pb2.UpdateAdapterRequest, context: grpc.aio.ServicerContext
    ) -> adapter_service_pb2.UpdateAdapterResponse:
        adapter = adapter_pb2.Adapter(id=request.id, description=request.description, metrics=request.metrics)
        return adapter_service_pb2.UpdateAdapterResponse(adapter=adapter)


class FakePreflight(preflight_service_pb2_grpc.PreflightServiceServicer):
    """Finds fault with every number of epochs."""

    async def CheckConfiguration(
        self, request: preflight_service_pb2.CheckConfigurationRequest, context: grpc.aio.ServicerContext
    ) -> preflight_service_pb2.CheckConfigurationResponse:
        response = preflight_service_pb2.CheckConfigurationResponse()
        finding = response.report.findings.add(code="OUT_OF_RANGE", severity="SEVERITY_ERROR", field_path="schedule.epochs")
        finding.message = f"{request.configuration.schedule.epochs}"
        finding.fix.edits.add(field_path="schedule.epochs").value.number_value = 1
        finding.fix.edits.add(field_path="schedule.max_steps")
        return response


class FakeWorkerDoor(worker_service_pb2_grpc.WorkerServiceServicer):
    async def RegisterPool(
        self, request: worker_service_pb2.RegisterPoolRequest, context: grpc.aio.ServicerContext
    ) -> worker_service_pb2.RegisterPoolResponse:
        return worker_service_pb2.RegisterPoolResponse()


async def serve(address: str) -> None:
    """Answer at an address until the process is ended."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(FakeRegistry(), server)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(FakeJobs(), server)
    pool_service_pb2_grpc.add_PoolServiceServicer_to_server(FakePools(), server)
    parameter_service_pb2_grpc.add_ParameterServiceServicer_to_server(FakeParameters(), server)
    provider_service_pb2_grpc.add_ProviderServiceServicer_to_server(FakeProviders(), server)
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(FakeWorkerDoor(), server)
    recipe_service_pb2_grpc.add_RecipeServiceServicer_to_server(FakeRecipes(), server)
    adapter_service_pb2_grpc.add_AdapterServiceServicer_to_server(FakeAdapters(), server)
    preflight_service_pb2_grpc.add_PreflightServiceServicer_to_server(FakePreflight(), server)
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection((*SERVICE_NAMES, reflection.SERVICE_NAME), server)
    for name in ("", *SERVICE_NAMES):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
