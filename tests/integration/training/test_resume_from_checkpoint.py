"""A run goes on bit for bit from any checkpoint that has a state beside it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tunesmith.job.v1 import artifact_pb2

from workers.training import attempt

from .conftest import Job, RecordingSink
from .ways import WAYS

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
SCHEDULE = {"max_steps": 6, "checkpoints": 3, "evaluations": 3, "keep_best": True, "histograms": 3}
MEASURED = {"tokens_per_second", "memory_bytes"}
STATE = artifact_pb2.ARTIFACT_KIND_CHECKPOINT_STATE


def weights(sink: RecordingSink) -> bytes:
    (file,) = (path for name in ("adapter", "model") for path in (sink.artifacts_folder / name).glob("*.safetensors"))
    return file.read_bytes()


@pytest.mark.parametrize("name", ["full", "LoRA"])
@pytest.mark.parametrize("step", [2, 4])
def test_it_ends_as_the_run_that_made_the_checkpoint(name: str, step: int, make_job: MakeJob) -> None:
    job = WAYS[name].job(make_job, SCHEDULE)
    whole = job.run()
    states = {name: at for name, (kind, at) in whole.sets.items() if kind == STATE}
    # The last one has nothing to go on to.
    assert states == {"checkpoint-2-state": 2, "checkpoint-4-state": 4}
    again = job.next_attempt()
    again.inputs = replace(again.inputs, training_state=whole.artifacts_folder / f"checkpoint-{step}-state")
    sink = again.run()
    assert list(sink.points["train_loss"]) == list(range(step + 1, 7))
    for key in whole.points.keys() - MEASURED:
        later = {at: value for at, value in whole.points[key].items() if at > step}
        assert sink.points.get(key, {}) == later, key
    assert weights(sink) == weights(whole)
    assert sink.warnings == whole.warnings


def test_a_large_state_is_not_kept_beside_every_checkpoint(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "MOST_CHECKPOINT_STATE_BYTES", 1000)
    sink = WAYS["LoRA"].job(make_job, SCHEDULE).run()
    assert not [name for name, (kind, _) in sink.sets.items() if kind == STATE]
    assert "checkpoint-4" in sink.sets
