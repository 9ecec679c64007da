"""What finished jobs say about the next estimate."""

import math
import random

import pytest
from tunesmith.config.v1 import method_pb2
from tunesmith.job.v1 import residual_pb2

from services.preflight.estimate.residuals import Residuals
from tests.unit.services.preflight.speed.runs import run


def job(
    device: str, *, memory: float = 1.0, step: float = 1.0, method: method_pb2.TrainingMethod = method_pb2.TRAINING_METHOD_LORA
) -> residual_pb2.Residual:
    """A job that took so many times what was predicted."""
    made = residual_pb2.Residual(method=method)
    made.device.name = device
    made.predicted.peak_memory_bytes, made.measured.peak_memory_bytes = 1_000_000, round(1_000_000 * memory)
    made.predicted.step_seconds, made.measured.step_seconds = 1.0, step
    return made


def test_without_jobs_the_prior_stands() -> None:
    assert Residuals([]).memory_interval(run(), 100.0, 0.1) == (pytest.approx(90), pytest.approx(110), 0)
    assert Residuals([]).step_interval(run(), 2.0, 0.2) == (pytest.approx(1.6), pytest.approx(2.4), 0)
    assert Residuals([]).step_correction(run()) == 1


def test_many_jobs_that_agree_narrow_it() -> None:
    rng = random.Random(1)
    low, high, count = Residuals([job("chip", memory=rng.uniform(0.98, 1.02)) for _ in range(100)]).memory_interval(run(), 100.0)
    assert count == 100
    assert 96 < low < 98.6
    assert 101.4 < high < 104


def test_jobs_that_disagree_widen_it() -> None:
    low, high, _ = Residuals([job("chip", memory=ratio) for ratio in (0.5, 0.8, 1.0, 1.3, 1.8) * 8]).memory_interval(run(), 100.0)
    assert low < 60
    assert high > 150


def test_few_jobs_move_it_little() -> None:
    _, none, _ = Residuals([]).memory_interval(run(), 100.0)
    _, one, _ = Residuals([job("chip", memory=1.5)]).memory_interval(run(), 100.0)
    _, many, _ = Residuals([job("chip", memory=1.5)] * 50).memory_interval(run(), 100.0)
    assert none < one < 118
    assert 140 < many < 150


def test_it_contains_the_estimate_even_if_that_was_always_too_high() -> None:
    low, high, _ = Residuals([job("chip", memory=0.7)] * 50).memory_interval(run(), 100.0)
    assert low < 75
    assert high == 100


def test_only_jobs_of_the_same_device_and_method_count() -> None:
    others = [job("other", step=3.0), job("chip", step=3.0, method=method_pb2.TRAINING_METHOD_FULL)] * 10
    assert Residuals(others).step_correction(run()) == 1
    assert Residuals(others).step_interval(run(), 1.0)[2] == 0
    assert Residuals([*others, *[job("chip", step=1.5)] * 5]).step_correction(run()) == pytest.approx(1.5)


def test_a_correction_is_learnt_from_what_was_not_corrected() -> None:
    corrected = job("chip", step=2.0)
    corrected.predicted.step_seconds, corrected.predicted.uncorrected_step_seconds = 2.0, 1.0
    assert Residuals([corrected] * 6).step_correction(run()) == pytest.approx(2.0)


def test_the_interval_is_about_the_corrected_estimate() -> None:
    ratios = [1.4, 1.45, 1.5, 1.55, 1.6] * 10
    residuals = Residuals([job("chip", step=ratio) for ratio in ratios])
    assert residuals.step_correction(run()) == pytest.approx(1.5)
    low, high, _ = residuals.step_interval(run(), 1.5)
    assert 1.3 < low < 1.5 < high < 1.7


def test_figures_that_are_missing_or_absurd_teach_nothing() -> None:
    empty = residual_pb2.Residual(method=method_pb2.TRAINING_METHOD_LORA)
    empty.device.name = "chip"
    zero = job("chip")
    zero.predicted.step_seconds = 0
    asleep = job("chip", step=1000.0)
    found = Residuals([empty, zero, asleep])
    assert found.step_correction(run()) == 1
    assert found.step_interval(run(), 1.0)[2] == 0
    assert found.memory_interval(run(), 1.0)[2] == 2
    assert all(math.isfinite(edge) for edge in found.memory_interval(run(), 1.0))
