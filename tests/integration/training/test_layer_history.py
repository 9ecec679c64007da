"""Norms and histograms are those of the model that is trained, from the first step on, and change nothing about it."""

import math
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import load_file
from tunesmith.worker.v1 import worker_service_pb2

from workers.training import layers

from .conftest import Job, RecordingSink

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
PAUSE = worker_service_pb2.DIRECTIVE_PAUSE
STEPS = 5
SCHEDULE = {"max_steps": STEPS, "histograms": 2}
# Clips every gradient, so that what is measured behind it would be another number.
CLIPPED = {"optimizer": {"max_gradient_norm": 0.01}}


@pytest.fixture(autouse=True)
def _every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    # A model of this size is measured now and then, so that it costs nothing.
    monkeypatch.setattr(layers, "steps_between", lambda *_: 1)


def by_group(sink: RecordingSink, series: str) -> dict[str, dict[int, float]]:
    return {key: points for key, points in sink.points.items() if key.startswith(f"{series}/")}


def together(groups: dict[str, dict[int, float]], step: int) -> float:
    return math.sqrt(math.fsum(points[step] ** 2 for points in groups.values()))


LAYERS = {"layer_0", "layer_1"}


@pytest.mark.parametrize(("method", "groups"), [("FULL", LAYERS | {"embeddings", "other"}), ("LORA", LAYERS)])
def test_norms_by_group_add_up_to_the_whole_before_clipping(method: str, groups: set[str], make_job: MakeJob) -> None:
    sink = make_job("TEXT", {"schedule": SCHEDULE, **CLIPPED}, method=method).run()
    gradients, weights = by_group(sink, "gradient_norm"), by_group(sink, "weight_norm")
    assert set(gradients) == {f"gradient_norm/{group}" for group in groups}
    assert set(weights) == {f"weight_norm/{group}" for group in groups}
    for step in range(1, STEPS + 1):
        whole = sink.points["gradient_norm"][step]
        assert whole > 0.01
        assert together(gradients, step) == pytest.approx(whole, rel=1e-5)
    folder = sink.artifacts_folder / ("model" if method == "FULL" else "adapter")
    saved = load_file(next(folder.glob("*.safetensors")))
    expected = math.sqrt(math.fsum(float(tensor.double().pow(2).sum()) for tensor in saved.values()))
    assert together(weights, STEPS) == pytest.approx(expected, rel=1e-5)


def test_gradients_that_are_not_clipped_are_measured_too(make_job: MakeJob) -> None:
    sink = make_job("TEXT", {"schedule": SCHEDULE, "optimizer": {"max_gradient_norm": 0}}).run()
    gradients = by_group(sink, "gradient_norm")
    assert [len(points) for points in gradients.values()] == [STEPS, STEPS]


def test_histograms_are_taken_before_the_first_step_and_spread_over_the_run(make_job: MakeJob) -> None:
    sink = make_job("TEXT", {"schedule": SCHEDULE}).run()
    assert list(sink.histograms_by_step) == [0, 3, 5]
    first, last = sink.histograms_by_step[0], sink.histograms_by_step[STEPS]
    # Two layers, of which each has seven linear modules with two matrices.
    assert set(first) == set(last)
    assert len(first) == 28
    name = "model.layers.1.mlp.down_proj.lora_B"
    assert first[name].norm == 0
    saved = load_file(sink.artifacts_folder / "adapter" / "adapter_model.safetensors")[f"base_model.model.{name}.weight"]
    assert last[name].norm == pytest.approx(float(saved.norm()), rel=1e-5)
    assert (last[name].minimum, last[name].maximum) == pytest.approx((float(saved.min()), float(saved.max())))
    assert sum(last[name].counts) == saved.numel()


def test_none_are_taken_if_nobody_wants_any(make_job: MakeJob) -> None:
    assert make_job("TEXT", {"schedule": {"histograms": 0}}).run().histograms_by_step == {}


def test_a_resumed_run_has_the_history_of_one_that_never_stopped(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the model were large: which steps are measured is part of where a run stands.
    monkeypatch.setattr(layers, "steps_between", lambda *_: 2)
    whole = make_job("TEXT", {"schedule": SCHEDULE}, method="FULL").run()
    # The first and the last one always.
    assert list(whole.points["weight_norm/layer_0"]) == [1, 2, 4, 5]
    paused = make_job("TEXT", {"schedule": SCHEDULE}, method="FULL", directives={3: PAUSE})
    before = paused.stopped()
    monkeypatch.setattr(layers, "steps_between", lambda *_: pytest.fail("it was decided at the first step"))
    after = paused.next_attempt().run()
    for key in (*by_group(whole, "gradient_norm"), *by_group(whole, "weight_norm")):
        assert before.points.get(key, {}) | after.points.get(key, {}) == whole.points[key]
    assert before.histograms_by_step | after.histograms_by_step == whole.histograms_by_step


def test_weights_are_the_same_with_and_without(make_job: MakeJob) -> None:
    with_them = make_job("TEXT", {"schedule": {**SCHEDULE, "histograms": 5}}, method="FULL").run()
    without = make_job("TEXT", {"schedule": {**SCHEDULE, "histograms": 0}}, method="FULL").run()
    ours, theirs = (load_file(sink.artifacts_folder / "model" / "model.safetensors") for sink in (with_them, without))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
