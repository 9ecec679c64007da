"""Seconds from the first step to the end: steps, evaluations, checkpoints and saving."""

import math

from tunesmith.preflight.v1 import estimate_pb2

from services.preflight.estimate.parameters import parameters_of
from services.preflight.estimate.workload import Workload
from workers.providers.execution import held_dtype

# Writing, hashing and storing through the service, as `make bench` measures an upload.
SAVED_BYTES_PER_S = 160 * 2**20
EACH_SET_S = 0.3
# Of a step's passes, what is the way forward: a third of six operations a weight, half of four.
_FULL_SHARE, _FROZEN_SHARE = 1 / 3, 1 / 2


def duration_seconds(
    workload: Workload, throughput: estimate_pb2.ThroughputEstimate, validation_row_count: int | None = None
) -> float | None:
    """None if nobody knows how many steps there are. Without a count of validation rows, evaluations are left out."""
    if not throughput.total_steps:
        return None
    training = throughput.total_steps * throughput.step_seconds
    return training + _evaluating(workload, throughput, validation_row_count or 0) + _saving(workload)


def _evaluating(workload: Workload, throughput: estimate_pb2.ThroughputEstimate, rows: int) -> float:
    schedule, datasets = workload.configuration.schedule, workload.configuration.datasets
    if not rows or not schedule.evaluations or not datasets.HasField("validation_file_id"):
        return 0.0
    share = _FULL_SHARE if workload.full else _FROZEN_SHARE
    batch_seconds = share * throughput.step_seconds / workload.accumulation
    # One comes before the first step; those of a run of fewer steps fall together.
    times = 1 + min(schedule.evaluations, throughput.total_steps)
    return times * math.ceil(rows / workload.rows) * batch_seconds


def _saving(workload: Workload) -> float:
    """Every checkpoint and the result; an adapter is saved in float32, a model in the configuration's precision."""
    parameters = parameters_of(workload)
    width = 4
    if workload.full:
        width = 4 if held_dtype(workload.configuration.model.precision) == "float32" else 2
    size = parameters.trained * width
    return (workload.configuration.schedule.checkpoints + 1) * (EACH_SET_S + size / SAVED_BYTES_PER_S)
