"""What holds for every way of training, whoever wrote its recipe: it goes on bit for bit, and its history is complete."""

from collections.abc import Callable

import pytest
from tunesmith.worker.v1 import worker_service_pb2

from workers.providers.local.method import SENT_METHODS
from workers.training import layers
from workers.training.recipes import MODULES

from .conftest import Job, RecordingSink
from .ways import WAYS, covered

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
PAUSE = worker_service_pb2.DIRECTIVE_PAUSE
SCHEDULE = {"max_steps": 4, "evaluations": 2, "histograms": 2, "keep_best": True}
# These measure time and memory; all others have to be equal at every step.
MEASURED = {"tokens_per_second", "memory_bytes"}


def test_every_recipe_and_every_method_is_tried() -> None:
    assert covered() == (set(MODULES), set(SENT_METHODS))
    assert len(WAYS) == 12


def weights(sink: RecordingSink) -> bytes:
    (file,) = (path for name in ("adapter", "model") for path in (sink.artifacts_folder / name).glob("*.safetensors"))
    return file.read_bytes()


@pytest.mark.parametrize("name", list(WAYS))
def test_it_goes_on_bit_for_bit(name: str, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "steps_between", lambda *_: 1)
    way = WAYS[name]
    whole = way.job(make_job, SCHEDULE).run()
    assert_complete(whole)
    # Behind an evaluation, so that the best weights are part of where it stands.
    paused = way.job(make_job, SCHEDULE, {3: PAUSE})
    before = paused.stopped()
    assert not before.warnings or before.warnings == whole.warnings
    after = paused.next_attempt().run()
    assert after.warnings == whole.warnings
    assert list(after.points["train_loss"]) == [4]
    for key in whole.points.keys() - MEASURED:
        assert before.points.get(key, {}) | after.points.get(key, {}) == whole.points[key], key
    assert before.histograms_by_step | after.histograms_by_step == whole.histograms_by_step
    assert weights(after) == weights(whole)
    kind, kept = whole.sets["adapter" if "adapter" in whole.sets else "model"]
    assert after.sets == {("adapter" if "adapter" in whole.sets else "model"): (kind, kept)}


def assert_complete(sink: RecordingSink) -> None:
    """Every series begins with the first step, and every trained layer is looked at before it."""
    steps = [1, 2, 3, 4]
    for key in ("train_loss", "learning_rate", "gradient_norm", "tokens_per_second", "memory_bytes", "epoch"):
        assert list(sink.points[key]) == steps, key
    assert list(sink.points["eval_loss"]) == [0, 2, 4]
    groups = {key.partition("/")[2] for key in sink.points if "/" in key}
    assert groups
    for group in groups:
        assert list(sink.points[f"gradient_norm/{group}"]) == list(sink.points[f"weight_norm/{group}"]) == steps
    assert list(sink.histograms_by_step) == [0, 2, 4]
    assert set(sink.histograms_by_step[0]) == set(sink.histograms_by_step[4]) != set()
    assert all(value > 0 for value in sink.points["tokens_per_second"].values())
