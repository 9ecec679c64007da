"""Rows of about the same length share a batch, in an order that another attempt finds again."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tunesmith.worker.v1 import worker_service_pb2

from workers.training.grouping import LengthGroups
from workers.training.trainer import SupervisedTrainer

from .conftest import Job, RecordingSink

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
GROUPING = {"enabled": ["OPTIMIZATION_FEATURE_LENGTH_GROUPING"]}
EPOCHS = {"max_steps": None, "epochs": 3, "batch_size": 2, "gradient_accumulation": 3}
# From two words to twenty-five.
ROWS = [{"text": "word " * (2 + 17 * number % 24)} for number in range(24)]


def job(make_job: MakeJob, directives: dict[int, Any] | None = None, **over: Any) -> Job:
    settings = {"optimizations": GROUPING, "schedule": EPOCHS} | over
    return make_job("TEXT", settings, evaluate=True, training=ROWS, directives=directives)


def test_every_row_is_drawn_once_an_epoch_and_neighbours_are_alike() -> None:
    draw = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 500, (400,), generator=draw).tolist()
    sampler = LengthGroups(lengths, 4, seed=7)
    orders = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        assert sorted(orders[-1]) == list(range(400))
        assert list(sampler) == orders[-1]
    assert orders[0] != orders[1]
    batches = [[lengths[index] for index in orders[0][at : at + 4]] for at in range(0, 400, 4)]
    padded = sum(4 * max(batch) for batch in batches)
    assert sum(lengths) / padded > 0.95
    assert list(LengthGroups(lengths, 4, seed=8)) != orders[0]


def test_random_numbers_of_the_process_are_left_alone() -> None:
    before = torch.get_rng_state()
    list(LengthGroups([3, 1, 2], 1, seed=0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("stop", [1, 4, 6])
def test_a_paused_run_goes_on_as_if_it_had_never_stopped(make_job: MakeJob, stop: int) -> None:
    whole = job(make_job).run()
    assert len(whole.losses()) == 12
    paused = job(make_job, {stop: worker_service_pb2.DIRECTIVE_PAUSE})
    before, after = paused.stopped(), paused.next_attempt().run()
    for series in ("train_loss", "gradient_norm", "epoch"):
        assert before.points[series] | after.points[series] == whole.points[series]


def test_a_run_computes_less_padding(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(over: dict[str, Any]) -> tuple[int, int, RecordingSink]:
        """Tokens that went through the model, those that count as trained on, and what was told."""
        seen: list[tuple[int, int]] = []
        own = SupervisedTrainer.training_step

        def counting(self: Any, model: Any, inputs: Any, *others: Any) -> Any:
            seen.append((inputs["input_ids"].numel(), int(inputs["attention_mask"].sum())))
            return own(self, model, inputs, *others)

        with monkeypatch.context() as patch:
            patch.setattr(SupervisedTrainer, "training_step", counting)
            sink = job(make_job, **over).run()
        all_tokens, tokens = (sum(column) for column in zip(*seen, strict=True))
        return all_tokens, tokens, sink

    grouped, tokens, sink = computed({})
    padded, same_tokens, _ = computed({"optimizations": {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]}})
    assert tokens == same_tokens
    # So few rows are sorted by the step only, not by fifty steps.
    assert grouped - tokens < 0.6 * (padded - tokens)
    assert sink.warnings == []
