"""What other services know: base models, datasets, recipes, adapters, pools, residuals and statistics."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from tunesmith.job.v1 import artifact_pb2, job_pb2, job_service_pb2, job_state_pb2, residual_pb2
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub
from tunesmith.pool.v1 import pool_pb2, pool_service_pb2
from tunesmith.pool.v1.pool_service_pb2_grpc import PoolServiceStub
from tunesmith.registry.v1 import (
    adapter_pb2,
    adapter_service_pb2,
    base_model_pb2,
    dataset_pb2,
    dataset_statistics_pb2,
    recipe_pb2,
    recipe_service_pb2,
    registry_service_pb2,
)
from tunesmith.registry.v1.adapter_service_pb2_grpc import AdapterServiceStub
from tunesmith.registry.v1.recipe_service_pb2_grpc import RecipeServiceStub
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from tunesmith.worker.v1 import inquiry_pb2, inquiry_service_pb2
from tunesmith.worker.v1.inquiry_service_pb2_grpc import InquiryServiceStub

from services.chassis.errors import Unavailable
from services.preflight.remembered import Remembered

ARTIFACT_PREFIX = "artifact:"
# A fine-tune of a fine-tune of …: nobody goes deeper by hand, and a loop can't be stored.
MAX_GENERATIONS = 16
PAGE_SIZE = 200
# Forms ask at every keystroke; pools and finished jobs change more slowly than that.
POOLS_FOR_S = 0.5
JOBS_FOR_S = 1.0
RESIDUALS_FOR_S = 5.0
# Statistics of a large dataset take seconds to count. Who asks first goes on with the estimate of the upload.
STATISTICS_WITHIN_S = 0.015
STATISTICS_TIMEOUT_S = 120.0
STATISTICS_KEPT = 256
# What an answer may take on its way back.
ANSWER_GRACE_S = 5.0

UNFINISHED = (job_state_pb2.JOB_STATE_QUEUED, job_state_pb2.JOB_STATE_RUNNING, job_state_pb2.JOB_STATE_CANCELLING)

Found = TypeVar("Found")


class Missing(Exception):
    """What was named is not there, in the words of the service that looked.

    `certain` is False where it may be there all the same, and only could not be looked at.
    """

    def __init__(self, message: str, *, certain: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.certain = certain


class Sources:
    """Looks things up. Raises Missing for what is not there, and Unavailable if nobody answers."""

    def __init__(self, registry_channel: grpc.aio.Channel, job_channel: grpc.aio.Channel) -> None:
        self._registry = RegistryServiceStub(registry_channel)
        self._recipes = RecipeServiceStub(registry_channel)
        self._adapters = AdapterServiceStub(registry_channel)
        self._jobs = JobServiceStub(job_channel)
        self._pools = PoolServiceStub(job_channel)
        self._inquiries = InquiryServiceStub(job_channel)
        self._known_pools: Remembered[list[pool_pb2.Pool]] = Remembered(POOLS_FOR_S, self._list_pools)
        self._known_residuals: Remembered[list[residual_pb2.Residual]] = Remembered(RESIDUALS_FOR_S, self._list_residuals)
        self._known_jobs: Remembered[list[job_pb2.Job]] = Remembered(JOBS_FOR_S, self._list_jobs)
        self._statistics: dict[tuple[str, str], asyncio.Task[dataset_statistics_pb2.DatasetStatistics | None]] = {}

    def stop(self) -> None:
        """End lookups that run by themselves."""
        for task in self._statistics.values():
            task.cancel()

    async def base_model(self, name: str) -> base_model_pb2.BaseModel:
        """A base model by id, hub name or `artifact:{id}`. An artifact is looked at without being imported."""
        if not name.startswith(ARTIFACT_PREFIX):
            return (await _asked(self._registry.GetBaseModel, registry_service_pb2.GetBaseModelRequest(id=name))).base_model
        origin = await self._origin_of(name)
        try:
            found = await self.base_model(origin)
        except Missing as missing:
            text = f"what {name} was trained from is not listed any more, so nothing is known of it before it is imported"
            raise Missing(text, certain=False) from missing
        trained = base_model_pb2.BaseModel()
        trained.CopyFrom(found)
        # The result lies in the artifact store: nothing is downloaded.
        trained.cache_status, trained.download_bytes, trained.private = base_model_pb2.CACHE_STATUS_CACHED, 0, False
        return trained

    async def dataset(self, dataset_id: str) -> dataset_pb2.Dataset:
        """A dataset by id."""
        return (await _asked(self._registry.GetDataset, registry_service_pb2.GetDatasetRequest(id=dataset_id))).dataset

    async def recipe(self, name: str) -> recipe_pb2.Recipe:
        """A recipe by id or display name."""
        return (await _asked(self._recipes.GetRecipe, recipe_service_pb2.GetRecipeRequest(id=name))).recipe

    async def recipes(self) -> list[recipe_pb2.Recipe]:
        """Every recipe that is offered."""
        request = recipe_service_pb2.ListRecipesRequest(page_size=PAGE_SIZE, active_only=True)
        return list((await _asked(self._recipes.ListRecipes, request)).recipes)

    async def adapter(self, adapter_id: str) -> adapter_pb2.Adapter:
        """An adapter by id."""
        return (await _asked(self._adapters.GetAdapter, adapter_service_pb2.GetAdapterRequest(id=adapter_id))).adapter

    async def pools(self) -> list[pool_pb2.Pool]:
        """Every pool, lost ones included, as it was half a second ago."""
        return await self._known_pools.get()

    async def residuals(self) -> list[residual_pb2.Residual]:
        """How far off earlier predictions were, as it was known a few seconds ago."""
        return await self._known_residuals.get()

    async def jobs(self) -> list[job_pb2.Job]:
        """Jobs that wait or run, the latest 200 of them, as they were a second ago."""
        return await self._known_jobs.get()

    async def statistics(self, dataset_id: str, base_model_id: str) -> dataset_statistics_pb2.DatasetStatistics | None:
        """What is counted of a dataset with a model's tokenizer; None while it is not counted yet, or can't be.

        A dataset never changes, so one answer serves for good.
        """
        key = (dataset_id, base_model_id)
        if key not in self._statistics:
            if len(self._statistics) >= STATISTICS_KEPT:
                self._statistics.pop(next(iter(self._statistics))).cancel()
            self._statistics[key] = asyncio.create_task(self._count(dataset_id, base_model_id))
        task = self._statistics[key]
        done, _ = await asyncio.wait({task}, timeout=STATISTICS_WITHIN_S)
        return task.result() if done and not task.cancelled() else None

    async def ask(self, inquiry: inquiry_pb2.Inquiry, timeout_seconds: float) -> inquiry_pb2.InquiryAnswer:
        """Have a pool answer what only it can. Raises Missing if none does."""
        request = inquiry_service_pb2.AskRequest(inquiry=inquiry, timeout_seconds=timeout_seconds)
        try:
            return (await self._inquiries.Ask(request, timeout=timeout_seconds + ANSWER_GRACE_S)).answer
        except grpc.aio.AioRpcError as error:
            raise Missing(error.details() or "no pool answered") from error

    async def _origin_of(self, name: str) -> str:
        """The base model that an artifact began as: of the same shape."""
        for _ in range(MAX_GENERATIONS):
            if not name.startswith(ARTIFACT_PREFIX):
                return name
            name = await self._trained_from(name.removeprefix(ARTIFACT_PREFIX))
        raise Missing(f"{name} comes after more than {MAX_GENERATIONS} trainings; register one of the results as a base model")

    async def _trained_from(self, artifact_id: str) -> str:
        request = job_service_pb2.GetArtifactSetRequest(artifact_id=artifact_id)
        artifacts = (await _asked(self._jobs.GetArtifactSet, request)).artifacts
        made = artifacts[0]
        # A checkpoint of LoRA training is an adapter too: a model has a configuration.
        if not any(artifact.path.endswith("/config.json") for artifact in artifacts):
            kind = artifact_pb2.ArtifactKind.Name(made.kind).removeprefix("ARTIFACT_KIND_").lower().replace("_", " ")
            raise Missing(f"artifact {artifact_id} belongs to a set of kind {kind}, and only a full model can be tuned; name one")
        job = await self._job(made.job_id)
        while job.HasField("export"):
            # A merged model is of the shape of what the exported weights were trained on.
            request = job_service_pb2.GetArtifactSetRequest(artifact_id=job.export.artifact_id)
            job = await self._job((await _asked(self._jobs.GetArtifactSet, request)).artifacts[0].job_id)
        return job.configuration.model.base_model

    async def _job(self, job_id: str) -> job_pb2.Job:
        return (await _asked(self._jobs.GetJob, job_service_pb2.GetJobRequest(id=job_id))).job

    async def _list_pools(self) -> list[pool_pb2.Pool]:
        request = pool_service_pb2.ListPoolsRequest(page_size=PAGE_SIZE)
        return list((await _asked(self._pools.ListPools, request)).pools)

    async def _list_jobs(self) -> list[job_pb2.Job]:
        request = job_service_pb2.ListJobsRequest(page_size=PAGE_SIZE, states=UNFINISHED, view=job_service_pb2.JOB_VIEW_BASIC)
        return list((await _asked(self._jobs.ListJobs, request)).jobs)

    async def _list_residuals(self) -> list[residual_pb2.Residual]:
        request = job_service_pb2.ListResidualsRequest()
        return list((await _asked(self._jobs.ListResiduals, request)).residuals)

    async def _count(self, dataset_id: str, base_model_id: str) -> dataset_statistics_pb2.DatasetStatistics | None:
        request = registry_service_pb2.GetDatasetStatisticsRequest(id=dataset_id, base_model=base_model_id)
        try:
            return (await self._registry.GetDatasetStatistics(request, timeout=STATISTICS_TIMEOUT_S)).statistics
        except grpc.aio.AioRpcError:
            # An estimate without it says so; the next check asks again.
            self._statistics.pop((dataset_id, base_model_id), None)
            return None


async def _asked(call: Callable[..., Awaitable[Found]], request: object) -> Found:
    """Another service's answer, its refusals as Missing."""
    try:
        return await call(request)
    except grpc.aio.AioRpcError as error:
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            text = "the registry or the job service does not answer just now; try again in a moment"
            raise Unavailable("LOOKUP_UNAVAILABLE", text) from error
        raise Missing(error.details() or "it can't be looked up") from error
