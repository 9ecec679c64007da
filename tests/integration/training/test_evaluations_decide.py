"""Early stopping and keeping the best: the evaluations decide when a run ends and which weights are its result."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tunesmith.worker.v1 import worker_service_pb2

from .conftest import Job, RecordingSink

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
PAUSE = worker_service_pb2.DIRECTIVE_PAUSE
# Stumbles, learns for some steps and then climbs out of the valley again.
STEPS = 10
PATIENCE = 3
WILD = {
    "schedule": {"max_steps": STEPS, "evaluations": STEPS, "checkpoints": 2, "histograms": 2},
    "optimizer": {"learning_rate": 0.02, "scheduler": {"type": "LR_SCHEDULER_TYPE_CONSTANT", "warmup_ratio": 0.0}},
}


def wild(make_job: MakeJob, directives: dict[int, Any] | None = None, **schedule: Any) -> Job:
    settings = {**WILD, "schedule": WILD["schedule"] | schedule}
    return make_job("TEXT", settings, method="FULL", evaluate=True, directives=directives)


def weights(sink: RecordingSink, name: str = "model") -> dict[str, torch.Tensor]:
    return load_file(sink.artifacts_folder / name / "model.safetensors")


def best_of(sink: RecordingSink) -> int:
    losses = sink.points["eval_loss"]
    return min(losses, key=lambda step: (losses[step], step))


@pytest.fixture
def whole(make_job: MakeJob) -> RecordingSink:
    """The same run without either."""
    sink = wild(make_job, checkpoints=STEPS).run()
    # The cases below say something only if the loss falls and rises again.
    assert 1 <= best_of(sink) < STEPS - PATIENCE
    return sink


def test_the_best_weights_are_the_result(make_job: MakeJob, whole: RecordingSink) -> None:
    best = best_of(whole)
    sink = wild(make_job, keep_best=True).run()
    assert sink.points["eval_loss"] == whole.points["eval_loss"]
    assert sink.sets["model"][1] == best
    kept, then = weights(sink), weights(whole, f"checkpoint-{best}")
    assert all(torch.equal(kept[name], then[name]) for name in then)
    lowest = whole.points["eval_loss"][best]
    assert sink.stages[-2] == f"The result is what stood at step {best}, where the validation loss was lowest ({lowest:.4g})"
    card = (sink.artifacts_folder / "model" / "README.md").read_text()
    assert f"saved at step {best} of {STEPS}" in card
    assert f"The weights are those of step {best}, where the validation loss was lowest." in card
    assert f"{lowest:.4f} |" in card


def test_a_run_stops_where_patience_ends(make_job: MakeJob, whole: RecordingSink) -> None:
    best = best_of(whole)
    sink = wild(make_job, early_stopping_patience=PATIENCE).run()
    last = max(sink.points["train_loss"])
    assert last == best + PATIENCE
    assert sink.points["train_loss"] == {step: whole.points["train_loss"][step] for step in range(1, last + 1)}
    told = f"Stopped early at step {last} of {STEPS}: {PATIENCE} evaluations in a row were no better than the loss of "
    assert any(stage.startswith(told) and stage.endswith(f"at step {best}") for stage in sink.stages)
    # It reads as done, and has what belongs to a run's end.
    assert sink.steps[-1][:2] == (last, last)
    assert sink.sets["model"][1] == sink.sets[f"checkpoint-{last}"][1] == last
    assert max(sink.histograms_by_step) == last
    kept, then = weights(sink), weights(whole, f"checkpoint-{last}")
    assert all(torch.equal(kept[name], then[name]) for name in then)
    card = (sink.artifacts_folder / "model" / "README.md").read_text()
    assert f"The run stopped early, at step {last} of {STEPS}." in card


@pytest.mark.parametrize("after_best", [0, 1])
def test_both_survive_an_interruption(make_job: MakeJob, whole: RecordingSink, after_best: int) -> None:
    best = best_of(whole)
    settings = {"early_stopping_patience": PATIENCE, "keep_best": True}
    paused = wild(make_job, {best + after_best: PAUSE}, **settings)
    before = paused.stopped()
    attempt = paused.next_attempt()
    # What the first attempt kept in its work folder is gone with its machine.
    assert not list(attempt.inputs.work_folder.glob("**/best*"))
    after = attempt.run()
    assert max(after.points["train_loss"]) == best + PATIENCE
    assert after.sets["model"][1] == best
    kept, then = weights(after), weights(whole, f"checkpoint-{best}")
    assert all(torch.equal(kept[name], then[name]) for name in then)
    assert before.points["eval_loss"] | after.points["eval_loss"] == {
        step: loss for step, loss in whole.points["eval_loss"].items() if step <= best + PATIENCE
    }


def test_a_pause_where_the_run_stops_early_changes_nothing(make_job: MakeJob, whole: RecordingSink) -> None:
    last = best_of(whole) + PATIENCE
    sink = wild(make_job, {last: PAUSE}, early_stopping_patience=PATIENCE).run()
    assert "training-state" not in sink.sets
    assert sink.sets["model"][1] == last


def test_training_that_only_harms_leaves_an_adapter_that_does_nothing(make_job: MakeJob) -> None:
    settings = {"schedule": {"max_steps": 2, "evaluations": 2, "keep_best": True}, "optimizer": {"learning_rate": 0.2}}
    sink = make_job("TEXT", settings, evaluate=True, training=[{"text": "0 1 2 3 4 5 6 7 8 9 " * 3}] * 4).run()
    assert best_of(sink) == 0, "the case is meant to do harm"
    assert sink.sets["adapter"][1] == 0
    adapter = load_file(sink.artifacts_folder / "adapter" / "adapter_model.safetensors")
    assert all(not tensor.any() for name, tensor in adapter.items() if "lora_B" in name)
    assert any("before the first step" in stage for stage in sink.stages)
