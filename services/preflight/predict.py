"""What a configuration would need and take: the seam between what is known and the formulas."""

from collections.abc import Callable
from dataclasses import replace

import structlog
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CUDA, Device
from tunesmith.preflight.v1.estimate_pb2 import CONFIDENCE_HIGH, CONFIDENCE_LOW, MemoryEstimate
from tunesmith.registry.v1.base_model_pb2 import BaseModel

from services.preflight import methods, row_batches, row_lengths
from services.preflight.estimate.cost import device_cost
from services.preflight.estimate.duration import duration_seconds
from services.preflight.estimate.memory import decide_master_weights, estimate_memory
from services.preflight.estimate.queue import queue_seconds
from services.preflight.estimate.residuals import Residuals
from services.preflight.estimate.throughput import estimate_throughput
from services.preflight.estimate.workload import Workload
from services.preflight.facts import Facts
from services.preflight.findings import note
from services.preflight.placement import place
from services.preflight.prediction import Place, Prediction
from workers.providers.execution import Execution, plain_loop

# What nobody has named and no pool has: a GPU of unknown size.
ANY_GPU = Device(kind=DEVICE_KIND_CUDA)
# So many finished jobs confirm an estimate.
ENOUGH_JOBS = 5

log = structlog.get_logger()


def predicted(facts: Facts, *, memory_only: bool = False) -> Facts:
    """The facts with what is expected of the run, and with what the hardware decides in the configuration.

    `memory_only` leaves time and money out, for who tries many configurations in a row.
    """
    found = place(facts)
    try:
        return _estimated(facts, found, memory_only=memory_only)
    except Exception:
        # Sizes that no model has, rates that no device has: a job must not wait for formulas that stumble over them.
        log.exception("estimate_failed", base_model=facts.configuration.model.base_model)
        text = "memory and time could not be estimated for this model on this device; the log of the services says why"
        unknown = replace(_of_the_download(facts), place=found)
        return replace(facts, missing=[*facts.missing, note("ESTIMATE_FAILED", "", text)], prediction=unknown)


def _estimated(facts: Facts, found: Place | None, *, memory_only: bool) -> Facts:
    workload = workload_of(facts, found)
    if workload is None:
        return replace(facts, prediction=replace(_of_the_download(facts), place=found))
    workload = _decided(workload, _trainer(facts, found))
    own = facts.provider.execution if facts.provider is not None else None
    residuals = Residuals(facts.residuals)
    memory = estimate_memory(workload, own(workload.configuration) if own is not None else None)
    prediction = replace(
        _of_the_download(facts),
        place=found,
        workload=workload,
        memory=_as_jobs_have_it(memory, workload, residuals),
        queue_seconds=_queue_seconds(facts, found),
    )
    if not memory_only:
        prediction = _with_time(facts, prediction, workload, residuals)
    return replace(facts, configuration=workload.configuration, prediction=prediction)


def workload_of(facts: Facts, found: Place | None) -> Workload | None:
    """The run as the formulas see it; None if nothing is known of the model's size."""
    model, configuration = facts.base_model, facts.configuration
    if model is None or not (model.architecture.hidden_size or model.HasField("profile")):
        return None
    execution = _trainer(facts, found)(configuration)
    limit = facts.row_ceiling
    # A packed row is as long as the sequence, whatever its documents are.
    padded = execution.packing or not execution.dynamic_padding
    return Workload(
        base_model=model,
        configuration=configuration,
        execution=execution,
        row_count=facts.training_dataset.row_count if facts.training_dataset is not None else None,
        row_tokens=row_lengths.longest_tokens(facts.statistics, limit, padded_to_the_limit=padded),
        mean_tokens=row_lengths.mean_trained_tokens(facts.mean_row_tokens, facts.statistics, limit),
        device=found.device if found is not None else ANY_GPU,
        device_count=found.device_count if found is not None else max(1, configuration.hardware.num_gpus),
        documents_per_row=_documents_per_row(facts, limit) if execution.packing else None,
        teacher=_known_teacher(facts),
    )


def _known_teacher(facts: Facts) -> BaseModel | None:
    teacher = facts.teacher
    return teacher if teacher is not None and (teacher.architecture.hidden_size or teacher.HasField("profile")) else None


def _documents_per_row(facts: Facts, limit: int) -> float | None:
    lengths = row_batches.sampled_lengths(facts.statistics, limit)
    return row_batches.documents_per_row(lengths, limit) if lengths else None


def _as_jobs_have_it(memory: MemoryEstimate, workload: Workload, residuals: Residuals) -> MemoryEstimate:
    """The interval, drawn by what finished jobs of this installation say."""
    margin = memory.high_bytes / memory.peak_bytes - 1 if memory.peak_bytes else 0.0
    low, high, count = residuals.memory_interval(workload, memory.peak_bytes, margin)
    if count:
        memory.low_bytes, memory.high_bytes = round(low), round(high)
        memory.remarks.append(f"The interval rests on {count} finished jobs like this one.")
    if count >= ENOUGH_JOBS and memory.confidence != CONFIDENCE_LOW:
        memory.confidence = CONFIDENCE_HIGH
    return memory


def _with_time(facts: Facts, prediction: Prediction, workload: Workload, residuals: Residuals) -> Prediction:
    """Time and money, where the device's speed is known."""
    place_ = prediction.place
    throughput = estimate_throughput(workload, residuals=residuals) if place_ is not None else None
    if throughput is None or place_ is None:
        return prediction
    validation = facts.validation_dataset.row_count if facts.validation_dataset is not None else None
    seconds = duration_seconds(workload, throughput, validation)
    # Nobody charges for a pool of one's own.
    rented = seconds is not None and place_.pool is None
    cost = device_cost(place_.spec, place_.device_count, seconds) if rented and seconds is not None else None
    return replace(prediction, throughput=throughput, duration_seconds=seconds, cost=cost)


def _queue_seconds(facts: Facts, found: Place | None) -> float | None:
    if found is None or found.pool is None:
        return None
    return queue_seconds(facts.pools, facts.jobs, facts.provider_id)


def _trainer(facts: Facts, found: Place | None) -> Callable[[JobConfiguration], Execution]:
    """How it is run: as the provider's own trainer does, but on hardware that no pool has as a plain loop would."""
    own = facts.provider.execution if facts.provider is not None else None
    if own is None or (found is not None and found.pool is None):
        return plain_loop
    return own


def _decided(workload: Workload, trainer: Callable[[JobConfiguration], Execution]) -> Workload:
    """The same with master weights decided by what the device has room for, where nobody has."""
    if not methods.may_hold_masters(workload.configuration) or workload.configuration.model.HasField("master_weights"):
        return workload
    configuration = JobConfiguration()
    configuration.CopyFrom(workload.configuration)
    configuration.model.master_weights = decide_master_weights(workload, trainer)
    return replace(workload, configuration=configuration, execution=trainer(configuration))


def _of_the_download(facts: Facts) -> Prediction:
    model = facts.base_model
    if model is None:
        return Prediction()
    seconds = model.estimated_download_seconds if model.HasField("estimated_download_seconds") else None
    return Prediction(download_bytes=model.download_bytes, download_seconds=seconds)
