"""One process runs many jobs: none of them leaves anything behind or trains differently for it."""

import gc
import os
import socket
from collections.abc import Callable

import pytest
import torch
import trl.trainer.base_trainer
from datasets import are_progress_bars_disabled
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging
from tunesmith.worker.v1 import worker_service_pb2

from workers.training.sink import Stopped
from workers.training.trainer import SupervisedTrainer

from .conftest import Job

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]


def held() -> list[type]:
    """What is left of runs."""
    gc.collect()
    kinds = SupervisedTrainer | PreTrainedModel | torch.optim.Optimizer
    return [type(thing) for thing in gc.get_objects() if isinstance(thing, kinds)]


def test_an_equal_job_gets_equal_losses_whatever_ran_before(make_job: MakeJob) -> None:
    settings = {"method": {"lora_config": {"dropout": 0.2}}}
    first = make_job("MESSAGES", settings, evaluate=True).run()
    bf16 = {"model": {"precision": "MODEL_PRECISION_BF16"}, "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_OPTIMIZER_8BIT"]}}
    make_job("TEXT", bf16, method="FULL").run()
    stopped = make_job(
        "ALPACA", {"schedule": {"epochs": 3, "max_steps": None}}, directives={2: worker_service_pb2.DIRECTIVE_CANCEL}
    )
    with pytest.raises(Stopped):
        stopped.run()
    again = make_job("MESSAGES", settings, evaluate=True).run()

    assert len(first.losses()) == 5
    assert again.losses() == first.losses()
    assert again.evaluations == first.evaluations


def test_an_8_bit_job_does_not_inherit_which_weights_another_kept_in_32_bits(make_job: MakeJob) -> None:
    eight_bit = {"optimizations": {"enabled": ["OPTIMIZATION_FEATURE_OPTIMIZER_8BIT"]}}
    # From this rank on the adapter's matrices are large enough for 8 bits.
    adapter = eight_bit | {"method": {"lora_config": {"rank": 64}}}
    first = make_job("TEXT", adapter).run()
    # Its embeddings stay in 32 bits, and are the first in the optimiser.
    make_job("TEXT", eight_bit, method="FULL").run()
    again = make_job("TEXT", adapter).run()
    assert again.losses() == first.losses()
    assert again.points["gradient_norm"] == first.points["gradient_norm"]


def test_nothing_is_held_after_a_run_or_while_its_exception_is(make_job: MakeJob) -> None:
    assert held() == []
    make_job("TEXT", method="FULL", evaluate=True).run()
    assert held() == []
    with pytest.raises(Stopped) as stopped:
        make_job("TEXT", directives={1: worker_service_pb2.DIRECTIVE_CANCEL}).run()
    assert held() == []
    assert stopped.value.__traceback__ is not None


def test_the_process_stays_as_it_was(make_job: MakeJob) -> None:
    def state() -> tuple[object, ...]:
        bars = (are_progress_bars_disabled(), transformers_logging.is_progress_bar_enabled())
        torch_wide = (
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.is_autocast_enabled("cpu"),
        )
        return dict(os.environ), bars, torch_wide, transformers_logging.get_verbosity()

    before = state()
    make_job("TEXT", {"model": {"precision": "MODEL_PRECISION_BF16"}}, evaluate=True).run()
    assert state() == before


def test_a_run_prints_nothing(make_job: MakeJob, capfd: pytest.CaptureFixture[str]) -> None:
    job = make_job("TEXT", {"schedule": {"checkpoints": 2}}, method="FULL", evaluate=True)
    capfd.readouterr()
    job.run()
    printed = capfd.readouterr()
    assert (printed.out, [line for line in printed.err.splitlines() if "it/s" in line or "%|" in line]) == ("", [])


def test_a_run_leaves_no_files(make_job: MakeJob) -> None:
    job = make_job("TEXT", {"schedule": {"checkpoints": 2}})
    job.run()
    assert sorted(job.sink.sets) == ["adapter", "checkpoint-3", "checkpoint-3-state", "checkpoint-5"]
    assert [path for path in job.inputs.work_folder.rglob("*") if path.is_file()] == []


def test_nothing_is_sent_about_a_run(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(trl.trainer.base_trainer, "send_telemetry", lambda *args, **kwargs: asked.append("telemetry"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args))
    make_job("MESSAGES", {"schedule": {"checkpoints": 1}}, evaluate=True).run()
    assert asked == []
