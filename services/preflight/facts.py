"""Everything that is known about one configuration before it runs, looked up once; what is not there becomes a finding."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.job.v1.job_pb2 import Job
from tunesmith.job.v1.residual_pb2 import Residual
from tunesmith.pool.v1.pool_pb2 import Pool
from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.registry.v1.adapter_pb2 import Adapter, AdapterWeight
from tunesmith.registry.v1.base_model_pb2 import BaseModel
from tunesmith.registry.v1.dataset_pb2 import Dataset
from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics
from tunesmith.registry.v1.recipe_pb2 import Recipe

from services.chassis.errors import Unavailable
from services.chassis.knobs import resolved
from services.preflight import row_lengths
from services.preflight.findings import error, note
from services.preflight.prediction import Prediction
from services.preflight.repair import repair
from services.preflight.sources import Missing, Sources
from workers.providers import PROVIDERS, names
from workers.providers.provider import FieldLowering, Provider

DEFAULT_PROVIDER = "local"
TEACHER = "method.distillation_config.teacher_model"
NOTHING = Prediction()

Found = TypeVar("Found")


@dataclass(frozen=True)
class Facts:
    """What the checks look at. What is None was not named, or is not there, which `missing` then says."""

    provider_id: str
    provider: Provider | None
    # As it was sent.
    submitted: JobConfiguration
    # Repaired where its own rules say how, so that one mistake does not hide the others, and with defaults filled in.
    configuration: JobConfiguration
    # The rules that it breaks as it was sent.
    broken_rules: Sequence[Finding] = ()
    # What was named and is not there.
    missing: Sequence[Finding] = ()
    base_model: BaseModel | None = None
    # Whom a distillation imitates.
    teacher: BaseModel | None = None
    training_dataset: Dataset | None = None
    validation_dataset: Dataset | None = None
    # Of the training dataset; None while nobody has counted it.
    statistics: DatasetStatistics | None = None
    recipe: Recipe | None = None
    adapters: Sequence[tuple[AdapterWeight, Adapter]] = ()
    pools: Sequence[Pool] = ()
    # Those that wait or run.
    jobs: Sequence[Job] = ()
    residuals: Sequence[Residual] = ()
    # It was run and ran out of memory on a device with so many bytes, 0 if nobody knows how many; None: it was not run.
    ran_out_of_memory_bytes: int | None = None
    # What is expected of the run; empty until it was predicted.
    prediction: Prediction = NOTHING

    @cached_property
    def lowering(self) -> list[FieldLowering]:
        """What the provider makes of each field that was set."""
        return self.provider.lower(self.configuration, self.submitted) if self.provider is not None else []

    @cached_property
    def row_ceiling(self) -> int:
        """Tokens that a row is cut to."""
        return row_lengths.ceiling(self.configuration, self.base_model)

    @cached_property
    def mean_row_tokens(self) -> float | None:
        """Tokens of a row on average, before anything is cut; None if nobody has counted."""
        return row_lengths.mean_tokens(self.training_dataset, self.statistics)

    def with_configuration(self, submitted: JobConfiguration) -> "Facts":
        """The same with another configuration that names the same model and datasets."""
        broken, repaired = repair(submitted)
        return replace(self, submitted=submitted, configuration=resolved(repaired), broken_rules=broken, prediction=NOTHING)


async def gather(
    sources: Sources,
    provider_id: str,
    configuration: JobConfiguration,
    recipe: str = "",
    adapters: Sequence[AdapterWeight] = (),
) -> Facts:
    """Look at everything at once. Raises Unavailable if the registry does not answer."""
    broken, repaired = repair(configuration)
    look = _Look()
    model, datasets = repaired.model.base_model, repaired.datasets
    imitated = repaired.method.distillation_config.teacher_model
    (base_model, teacher, training, validation), (found_recipe, found_adapters), (pools, jobs, residuals) = await asyncio.gather(
        asyncio.gather(
            look.up("model.base_model", "BASE_MODEL_NOT_FOUND", model, sources.base_model),
            look.up(TEACHER, "BASE_MODEL_NOT_FOUND", imitated, sources.base_model),
            look.up("datasets.training_file_id", "DATASET_NOT_FOUND", datasets.training_file_id, sources.dataset),
            look.up("datasets.validation_file_id", "DATASET_NOT_FOUND", datasets.validation_file_id, sources.dataset),
        ),
        asyncio.gather(
            look.up("", "RECIPE_NOT_FOUND", recipe, sources.recipe),
            asyncio.gather(*(look.up("", "ADAPTER_NOT_FOUND", one.adapter_id, sources.adapter) for one in adapters)),
        ),
        asyncio.gather(
            look.at("pools", sources.pools),
            look.at("jobs that wait", sources.jobs),
            look.at("finished jobs", sources.residuals),
        ),
    )
    # As they were answered, the order would be another each time.
    look.missing.sort(key=lambda one: (one.field_path, one.code))
    provider = PROVIDERS.get(provider_id or DEFAULT_PROVIDER)
    if provider is None:
        text = f"{provider_id!r} is no provider; {names()}"
        look.missing.insert(0, error("PROVIDER_UNKNOWN", "", text))
    statistics = None
    if training is not None and base_model is not None:
        statistics = await sources.statistics(training.id, base_model.id)
    return Facts(
        provider_id=provider_id or DEFAULT_PROVIDER,
        provider=provider,
        submitted=configuration,
        configuration=resolved(repaired),
        broken_rules=broken,
        missing=look.missing,
        base_model=base_model,
        teacher=teacher,
        training_dataset=training,
        validation_dataset=validation,
        statistics=statistics,
        recipe=found_recipe,
        adapters=[(weight, one) for weight, one in zip(adapters, found_adapters, strict=True) if one is not None],
        pools=pools,
        jobs=jobs,
        residuals=residuals,
    )


class _Look:
    """Lookups of one configuration, and what they did not find."""

    def __init__(self) -> None:
        self.missing: list[Finding] = []

    async def up(self, path: str, code: str, name: str, ask: Callable[[str], Awaitable[Found]]) -> Found | None:
        """What was named; None if nothing was, or if it is not there."""
        if not name:
            return None
        try:
            return await ask(name)
        except Missing as missing:
            say = error if missing.certain else note
            self.missing.append(say(code if missing.certain else "BASE_MODEL_UNKNOWN", path, missing.message))
            return None

    async def at(self, what: str, ask: Callable[[], Awaitable[list[Found]]]) -> list[Found]:
        """What is there without being named. A service that is away leaves a gap, which is said, and stops nothing."""
        try:
            return await ask()
        except (Missing, Unavailable) as error_:
            text = f"the {what} can't be looked up just now ({error_}); estimates go without them"
            self.missing.append(note("LOOKUP_FAILED", "", text))
            return []
