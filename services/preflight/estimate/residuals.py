"""What finished jobs say about the next estimate: how far it will be off, and which way."""

import math
import statistics
from collections.abc import Callable, Sequence
from functools import lru_cache

from tunesmith.config.v1 import method_pb2
from tunesmith.job.v1 import job_pb2, residual_pb2

from services.preflight.estimate.workload import Workload

# Nineteen in twenty.
LOW_QUANTILE, HIGH_QUANTILE = 0.025, 0.975
# As many jobs count as much as what is supposed before there is any.
PRIOR_JOBS = 8
# From so many on, their median corrects a step's seconds.
CORRECTING_JOBS = 5
# What is supposed, as a share of the estimate, where the caller says nothing else.
MEMORY_PRIOR, STEP_PRIOR = 0.12, 0.20
# A job that was off by more had another reason than the formulas: a machine that did something else, a clock that was set.
_LARGEST = math.log(20)

Ratio = Callable[[residual_pb2.Residual], float | None]


class Residuals:
    """Jobs that succeeded and had a prediction. Comparable are those of the same device and method."""

    def __init__(self, residuals: Sequence[residual_pb2.Residual]) -> None:
        self._residuals = residuals

    def memory_interval(self, workload: Workload, peak: float, prior: float = MEMORY_PRIOR) -> tuple[float, float, int]:
        """Between what and what the peak lies in nineteen of twenty runs, and how many jobs say so. It contains the estimate."""
        logarithms = self._logarithms(workload, _memory_ratio)
        low, high = _interval(logarithms, prior)
        return peak * min(1.0, low), peak * max(1.0, high), len(logarithms)

    def step_interval(self, workload: Workload, seconds: float, prior: float = STEP_PRIOR) -> tuple[float, float, int]:
        """The same of a step's seconds, as `step_correction` has corrected them."""
        logarithms = self._logarithms(workload, _step_ratio)
        correction = math.log(_correction(logarithms))
        low, high = _interval([one - correction for one in logarithms], prior)
        return seconds * min(1.0, low), seconds * max(1.0, high), len(logarithms)

    def step_correction(self, workload: Workload) -> float:
        """What comparable jobs took, as a multiple of what the formulas said: their median; 1 where they are few."""
        return _correction(self._logarithms(workload, _step_ratio))

    def _logarithms(self, workload: Workload, ratio: Ratio) -> list[float]:
        method = workload.configuration.method.type
        found = [ratio(one) for one in self._residuals if _comparable(one, workload.device.name, method)]
        logarithms = [math.log(one) for one in found if one is not None and one > 0]
        return [one for one in logarithms if abs(one) < _LARGEST]


def _comparable(residual: residual_pb2.Residual, device: str, method: method_pb2.TrainingMethod) -> bool:
    return residual.device.name == device and residual.method == method


def _memory_ratio(residual: residual_pb2.Residual) -> float | None:
    return _ratio(residual.measured, residual.predicted, "peak_memory_bytes", "peak_memory_bytes")


def _step_ratio(residual: residual_pb2.Residual) -> float | None:
    # What was corrected already must not teach the correction: it would swing back and forth.
    alone = residual.predicted.HasField("uncorrected_step_seconds")
    return _ratio(residual.measured, residual.predicted, "step_seconds", "uncorrected_step_seconds" if alone else "step_seconds")


def _ratio(measured: job_pb2.JobFigures, predicted: job_pb2.JobFigures, seen: str, expected: str) -> float | None:
    if not measured.HasField(seen) or not predicted.HasField(expected) or getattr(predicted, expected) <= 0:
        return None
    return float(getattr(measured, seen) / getattr(predicted, expected))


def _correction(logarithms: Sequence[float]) -> float:
    return math.exp(statistics.median(logarithms)) if len(logarithms) >= CORRECTING_JOBS else 1.0


def _interval(logarithms: Sequence[float], prior: float) -> tuple[float, float]:
    """Quantiles of what was seen, drawn towards what was supposed by as much as that counts; as factors."""
    supposed = (math.log1p(-prior), math.log1p(prior))
    if not logarithms:
        return math.exp(supposed[0]), math.exp(supposed[1])
    weight = len(logarithms) / (len(logarithms) + PRIOR_JOBS)
    ordered = tuple(sorted(logarithms))
    seen = (_quantile(ordered, LOW_QUANTILE), _quantile(ordered, HIGH_QUANTILE))
    low, high = (weight * one + (1 - weight) * other for one, other in zip(seen, supposed, strict=True))
    return math.exp(low), math.exp(high)


@lru_cache(maxsize=256)
def _quantile(ordered: tuple[float, ...], share: float) -> float:
    """Between the two values that it lies between, as their distance says."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
