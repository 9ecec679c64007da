"""Each way of training goes on where it stood, to the last bit: what a paused attempt and the next one make together is what
one attempt makes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tunesmith.worker.v1 import worker_service_pb2

from workers.training.attempt import Attempt

from .conftest import Job, RecordingSink

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
PAUSE = worker_service_pb2.DIRECTIVE_PAUSE
# What has to be equal at every step; the other series measure time and memory.
SERIES = ("train_loss", "learning_rate", "gradient_norm")

LORA = {"lora_config": {"rank": 4, "dropout": 0.2}}
PROMPT = {"prompt_tuning_config": {"num_virtual_tokens": 4}}
INT4, INT8 = {"precision": "MODEL_PRECISION_INT4"}, {"precision": "MODEL_PRECISION_INT8"}
EIGHT_BIT = {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING", "OPTIMIZATION_FEATURE_OPTIMIZER_8BIT"]}
# Four tokens a word.
LONG = [{"text": "word " * count} for count in (175, 70) * 4]

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "QLoRA, 4 bits": ("QLORA", {"model": INT4, "method": LORA}),
    "QLoRA, 8 bits, 8-bit optimiser": ("QLORA", {"model": INT8, "method": LORA, "optimizations": EIGHT_BIT}),
    "DoRA beside 4 bits": ("QLORA", {"model": INT4, "method": {"lora_config": {"rank": 4, "use_dora": True}}}),
    "DoRA": ("LORA", {"method": {"lora_config": {"use_dora": True, "dropout": 0.2}}}),
    "rsLoRA": ("LORA", {"method": {"lora_config": {"use_rslora": True}}}),
    "prompt tuning": ("PROMPT_TUNING", {"method": PROMPT}),
    "prefix tuning with a network": (
        "PREFIX_TUNING",
        {"method": {"prompt_tuning_config": {"num_virtual_tokens": 4, "encoder_hidden_size": 16}}},
    ),
    "P-tuning": ("P_TUNING", {"method": PROMPT, "model": {"precision": "MODEL_PRECISION_BF16"}}),
    "continued pre-training": ("FULL", {"method": {"objective": "TRAINING_OBJECTIVE_CONTINUED_PRETRAINING"}}),
}


def job_of(case: str, make_job: MakeJob, directives: dict[int, Any] | None = None) -> Job:
    method, settings = CASES[case]
    return make_job("TEXT", {**settings, "schedule": {"max_steps": 4}}, method=method, directives=directives)


def weights(sink: RecordingSink) -> bytes:
    """Files that hold the same tensors are equal."""
    (file,) = (path for name in ("adapter", "model") for path in (sink.artifacts_folder / name).glob("*.safetensors"))
    return file.read_bytes()


def assert_same(whole: RecordingSink, before: RecordingSink, after: RecordingSink) -> None:
    for key in SERIES:
        assert before.points[key] | after.points[key] == whole.points[key]
    assert not before.points["train_loss"].keys() & after.points["train_loss"].keys()
    assert weights(after) == weights(whole)


def test_the_cases_are_these() -> None:
    assert len(CASES) == 9


@pytest.mark.parametrize("case", list(CASES))
def test_a_paused_run_goes_on_as_if_it_had_never_stopped(case: str, make_job: MakeJob) -> None:
    whole = job_of(case, make_job).run()
    assert len(set(whole.losses())) == 4
    paused = job_of(case, make_job, {2: PAUSE})
    before = paused.stopped()
    assert_same(whole, before, paused.next_attempt().run())


def test_the_scale_of_losses_is_part_of_where_a_run_stands(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    # FP16 scales its loss on a GPU; a scaler of the CPU's shows that its growth goes on where it was.
    scales: list[float] = []
    train = Attempt.train

    def scaled(self: Attempt, trainer: Any, *arguments: Any) -> None:
        trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
        try:
            train(self, trainer, *arguments)
        finally:
            scales.append(trainer.accelerator.scaler.get_scale())

    monkeypatch.setattr(Attempt, "train", scaled)
    steps = {"schedule": {"max_steps": 6}}
    whole = make_job("TEXT", steps).run()
    paused = make_job("TEXT", steps, directives={3: PAUSE})
    before = paused.stopped()
    assert_same(whole, before, paused.next_attempt().run())
    # Twice as large behind every second step: once before the pause, and twice behind it.
    assert scales == [2.0**13, 2.0**11, 2.0**13]


@pytest.mark.parametrize("model", [INT4, INT8])
def test_an_evaluation_leaves_quantized_weights_as_they_were(make_job: MakeJob, model: dict[str, Any]) -> None:
    # bitsandbytes may lay 4-bit weights out anew for inference, and passes no gradient through what is laid out so.
    settings = {"model": model, "method": {"lora_config": {"rank": 4}}, "schedule": {"max_steps": 4}}
    plain = make_job("TEXT", settings, method="QLORA").run()
    often = make_job("TEXT", {**settings, "schedule": {"max_steps": 4, "evaluations": 4}}, method="QLORA", evaluate=True).run()
    assert len(often.evaluations) == 5
    for key in SERIES:
        assert often.points[key] == plain.points[key]


@pytest.fixture
def short_base(tiny_base: Path, tmp_path: Path) -> Path:
    """The tiny model with positions for 256 tokens."""
    folder = tmp_path / "short-base"
    shutil.copytree(tiny_base, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 256}))
    return folder


def test_positions_that_stretch_with_what_was_read_stay_where_they_were(make_job: MakeJob, short_base: Path) -> None:
    # A dynamic rotation is made for the longest row so far, and stays so for a shorter one behind it that is stretched too.
    settings = {
        "model": {"rope_scaling": {"type": "ROPE_TYPE_DYNAMIC", "factor": 4}},
        "schedule": {"sequence_length": 1024, "batch_size": 1, "max_steps": 5},
    }

    def job(directives: dict[int, Any] | None = None) -> Job:
        return make_job("TEXT", settings, base=short_base, training=LONG, directives=directives)

    whole = job().run()
    assert not whole.warnings
    for stop in (1, 2, 3, 4):
        paused = job({stop: PAUSE})
        before = paused.stopped()
        assert_same(whole, before, paused.next_attempt().run())
