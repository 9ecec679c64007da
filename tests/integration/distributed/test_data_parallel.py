"""Two processes that train together give what one would with the same rows a step, and go on where they stood."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tunesmith.worker.v1 import worker_service_pb2

from tests.integration.training.conftest import Job

from .conftest import Run

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
PAUSE, CANCEL = worker_service_pb2.DIRECTIVE_PAUSE, worker_service_pb2.DIRECTIVE_CANCEL
TWO = {"hardware": {"num_processes": 2}}
# Eight rows: two steps of four.
SETTINGS: dict[str, Any] = {"schedule": {"max_steps": 4, "batch_size": 2, "evaluations": 2, "checkpoints": 2}}


def same(ours: dict[int, float], theirs: dict[int, float]) -> None:
    assert list(ours) == list(theirs)
    assert list(ours.values()) == pytest.approx(list(theirs.values()), rel=1e-5)


@pytest.mark.parametrize("method", ["FULL", "LORA"])
def test_two_processes_train_as_one_does_with_twice_the_rows(method: str, make_job: MakeJob, together: Run) -> None:
    accumulated = {"schedule": {**SETTINGS["schedule"], "gradient_accumulation": 2}}
    one = make_job("PROMPT_COMPLETION", accumulated, method=method, evaluate=True).run()
    two = together(make_job("PROMPT_COMPLETION", {**SETTINGS, **TWO}, method=method, evaluate=True))
    assert [told["ended"] for told in two.told] == ["succeeded", "succeeded"]
    for series in ("train_loss", "eval_loss", "gradient_norm", "learning_rate", "epoch"):
        same(two.series(series), one.points[series])
    name, file = ("model", "model.safetensors") if method == "FULL" else ("adapter", "adapter_model.safetensors")
    ours, theirs = load_file(two.stored / name / file), load_file(one.artifacts_folder / name / file)
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[key], theirs[key], atol=1e-5) for key in ours)
    # Only the first process told and stored anything.
    assert "2 processes train together, by DDP" in two.told[0]["stages"]
    weights = {name: step for name, step in two.told[0]["sets"].items() if not name.endswith("-state")}
    assert weights == {"checkpoint-2": 2, "checkpoint-4": 4, name: 4}
    assert {key: two.told[1][key] for key in ("points", "stages", "warnings", "evaluations", "sets")} == {
        "points": {},
        "stages": [],
        "warnings": [],
        "evaluations": [],
        "sets": {},
    }


def test_a_paused_training_goes_on_in_every_process_as_if_it_had_not_stopped(make_job: MakeJob, together: Run) -> None:
    # Dropout draws random numbers, other ones in each process.
    settings = {**SETTINGS, **TWO, "method": {"lora_config": {"dropout": 0.2}}}
    job = make_job("PROMPT_COMPLETION", settings, evaluate=True)
    whole = together(job)
    before = together(job, directives={2: PAUSE})
    assert [told["ended"] for told in before.told] == ["DIRECTIVE_PAUSE"] * 2
    state = before.stored / "training-state"
    assert (state / "process-00001.safetensors").exists()
    after = together(job, earlier=state)
    assert [told["ended"] for told in after.told] == ["succeeded"] * 2
    assert "Going on from step 2" in after.told[0]["stages"]
    assert list(after.series("train_loss")) == [3, 4]
    for series in ("train_loss", "eval_loss", "gradient_norm", "learning_rate"):
        assert before.series(series) | after.series(series) == whole.series(series), series
    ours, theirs = (load_file(one.stored / "adapter" / "adapter_model.safetensors") for one in (after, whole))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_cancelled_training_stops_in_every_process_at_the_same_step(make_job: MakeJob, together: Run) -> None:
    ended = together(make_job("PROMPT_COMPLETION", {**SETTINGS, **TWO}), directives={2: CANCEL})
    assert [told["ended"] for told in ended.told] == ["DIRECTIVE_CANCEL"] * 2
    assert list(ended.series("train_loss")) == [1, 2]


def test_a_state_of_another_number_of_processes_is_not_used(make_job: MakeJob, together: Run) -> None:
    alone = make_job("PROMPT_COMPLETION", SETTINGS, directives={2: PAUSE})
    alone.stopped()
    job = make_job("PROMPT_COMPLETION", SETTINGS)
    after = together(job, earlier=alone.sink.artifacts_folder / "training-state")
    (warning,) = after.told[0]["warnings"]
    assert "the number of processes was none and is 2" in warning
    assert list(after.series("train_loss")) == [1, 2, 3, 4]


def test_what_the_first_process_could_not_store_ends_the_training_in_all(make_job: MakeJob, together: Run) -> None:
    ended = together(make_job("PROMPT_COMPLETION", {**SETTINGS, **TWO}), occupied="checkpoint-2")
    first, second = (told["ended"] for told in ended.told)
    assert first.startswith("FileExistsError")
    assert "the first process could not store what was due, and says why" in second
    assert list(ended.series("train_loss")) == [1, 2]
