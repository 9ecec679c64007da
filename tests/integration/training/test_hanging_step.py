"""A step that hangs, for real: the watchdog's thread sees it while the training's thread is stuck."""

import threading
from collections.abc import Callable

import pytest

from workers.training.failures import StepTimeout
from workers.training.trainer import SupervisedTrainer

from .conftest import Job, RecordingSink

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]


class Stuck:
    """Makes the batch of a step wait until somebody has noticed."""

    def __init__(self, sink: RecordingSink, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.noticed = threading.Event()
        train, hung = SupervisedTrainer.training_step, sink.hung

        def training_step(trainer: SupervisedTrainer, *arguments: object, **named: object) -> object:
            if trainer.state.global_step == step - 1:
                assert self.noticed.wait(20), "nobody noticed"
            return train(trainer, *arguments, **named)

        def notice(error: StepTimeout) -> None:
            hung(error)
            self.noticed.set()

        monkeypatch.setattr(SupervisedTrainer, "training_step", training_step)
        sink.hung = notice  # type: ignore[method-assign]


def test_a_step_that_hangs_ends_the_attempt(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    # Shorter than the contract allows: a test can't wait ten seconds.
    job = make_job("TEXT", {"schedule": {"gradient_accumulation": 2}})
    job.assignment.configuration.schedule.step_timeout_seconds = 1
    Stuck(job.sink, 3, monkeypatch)
    with pytest.raises(StepTimeout, match=r"step 3 of 5 has not ended for . s and may take 1 s") as failure:
        job.run()
    assert failure.value.reason == "STEP_TIMEOUT"
    assert [error.message for error in job.sink.hangs] == [failure.value.message]
    assert list(job.sink.points["train_loss"]) == [1, 2]
    assert job.sink.sets == {}
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


def test_evaluations_and_saving_take_as_long_as_they_take(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("TEXT", {"schedule": {"evaluations": 1, "checkpoints": 1, "max_steps": 2}}, evaluate=True)
    job.assignment.configuration.schedule.step_timeout_seconds = 1
    store, evaluate = job.sink.add_artifacts, SupervisedTrainer.evaluate
    slow = threading.Event()

    def add_artifacts(*arguments: object) -> None:
        slow.wait(1.3)
        store(*arguments)  # type: ignore[arg-type]

    def evaluate_slowly(trainer: SupervisedTrainer, *arguments: object, **named: object) -> object:
        slow.wait(1.3)
        return evaluate(trainer, *arguments, **named)

    job.sink.add_artifacts = add_artifacts  # type: ignore[method-assign,assignment]
    monkeypatch.setattr(SupervisedTrainer, "evaluate", evaluate_slowly)
    job.run()
    assert job.sink.hangs == []
    assert set(job.sink.sets) == {"checkpoint-2", "adapter"}
