"""Every knob that says it acts does so in a real run: seen on the trainer itself, in the figures, or in the result."""

import gc
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from workers.training.trainer import SupervisedTrainer

from .conftest import ROWS, Job, RecordingSink

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]


class Seen:
    """What the trainer looked like when training began, and the shapes of the batches that went through its model."""

    def __init__(self, job: Job) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.sink = job.sink
        stage = job.sink.stage

        def look(message: str) -> None:
            stage(message)
            if message.startswith("Training"):
                self._look()

        job.sink.stage = look  # type: ignore[method-assign]
        job.run()

    def _look(self) -> None:
        (trainer,) = [thing for thing in gc.get_objects() if type(thing) is SupervisedTrainer]
        optimizer = trainer.optimizer.optimizer
        self.optimizer = type(optimizer).__module__.split(".")[0]
        self.paged = getattr(optimizer, "is_paged", False)
        self.bits = getattr(getattr(optimizer, "args", None), "optim_bits", 32)
        self.weight_decay = {group["weight_decay"] for group in optimizer.param_groups}
        self.checkpointing = trainer.model.is_activation_checkpointing
        self.trained = {name: value.dtype for name, value in trainer.model.named_parameters() if value.requires_grad}
        self.frozen = {value.dtype for value in trainer.model.parameters() if not value.requires_grad}
        self._optimizer = optimizer
        self.dropout = {module.p for module in trainer.model.modules() if isinstance(module, torch.nn.Dropout)}
        trainer.model.register_forward_pre_hook(self._see, with_kwargs=True)

    def _see(self, module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        moments = (state.get("exp_avg") for state in self._optimizer.state.values())
        self.states = {value.dtype for value in moments if value is not None}
        self.shapes.append(tuple(kwargs["input_ids"].shape))


def optimizations(*names: str) -> dict[str, Any]:
    return {"optimizations": {"enabled": [f"OPTIMIZATION_FEATURE_{name}" for name in names]}}


def schedule(**settings: Any) -> dict[str, Any]:
    return {"schedule": settings}


def factors(sink: RecordingSink) -> dict[str, torch.Tensor]:
    return load_file(sink.artifacts_folder / "adapter" / "adapter_model.safetensors")


def test_padding_is_dynamic_or_to_the_sequence_length(make_job: MakeJob) -> None:
    dynamic = Seen(make_job("TEXT", optimizations("DYNAMIC_PADDING") | schedule(max_steps=2)))
    fixed = Seen(make_job("TEXT", optimizations() | schedule(max_steps=2, sequence_length=600)))
    assert len(dynamic.shapes) == len(fixed.shapes) == 2
    assert all(rows == 2 and length < 60 for rows, length in dynamic.shapes)
    assert set(fixed.shapes) == {(2, 600)}


def test_a_sequence_is_no_longer_than_its_ceiling(make_job: MakeJob) -> None:
    long = [{"text": "word " * 3000}] * 2
    assert {length for _, length in Seen(make_job("TEXT", schedule(max_steps=1), training=long)).shapes} == {512}
    wider = Seen(make_job("TEXT", schedule(max_steps=1, sequence_length=640), training=long))
    assert {length for _, length in wider.shapes} == {640}


def test_a_model_with_fewer_positions_cuts_there_and_says_so(make_job: MakeJob) -> None:
    long = [{"text": "word " * 3000}] * 2
    job = make_job("TEXT", optimizations() | schedule(max_steps=1, batch_size=1, sequence_length=4096), training=long)
    seen = Seen(job)
    assert seen.shapes == [(1, 2048)]
    assert "positions for 2048 tokens" in seen.sink.warnings[0]


def test_batch_size_accumulation_and_epochs_make_the_steps(make_job: MakeJob) -> None:
    run = Seen(make_job("TEXT", schedule(max_steps=None, epochs=3, batch_size=3, gradient_accumulation=2)))
    # Eight rows: two batches of three and one of two, in two steps an epoch.
    assert [rows for rows, _ in run.shapes] == [3, 3, 2] * 3
    assert run.sink.steps[-1][:3] == (6, 6, 3.0)
    assert [epoch for _, _, epoch, _ in run.sink.steps[1:3]] == [pytest.approx(2 / 3), 1.0]


def test_max_steps_overrules_epochs(make_job: MakeJob) -> None:
    assert make_job("TEXT", schedule(max_steps=9, epochs=1)).run().steps[-1][:2] == (9, 9)


def test_evaluations_are_spread_and_one_precedes_the_first_step(make_job: MakeJob) -> None:
    sink = make_job("TEXT", schedule(evaluations=2, max_steps=5), evaluate=True).run()
    assert [step for step, _ in sink.evaluations] == [0, 3, 5]
    assert dict(sink.evaluations) == sink.points["eval_loss"]
    assert (sink.figures.first_evaluation_loss, sink.figures.last_evaluation_loss) == (
        sink.evaluations[0][1],
        sink.evaluations[-1][1],
    )
    assert make_job("TEXT", schedule(evaluations=0), evaluate=True).run().evaluations == []


@pytest.mark.parametrize("dataset_format", ["ALPACA", "PROMPT_COMPLETION", "MESSAGES", "SHAREGPT"])
def test_prompts_count_in_the_loss_only_if_asked(make_job: MakeJob, dataset_format: str) -> None:
    values = ("AUTO", "DISABLED", "ENABLED")
    left_out, disabled, counted = (
        make_job(dataset_format, schedule(max_steps=2, train_on_inputs=f"TRAIN_ON_INPUTS_{value}")).run() for value in values
    )
    assert left_out.losses() == disabled.losses()
    assert set(left_out.losses()).isdisjoint(counted.losses())


def test_the_seed_decides_order_and_first_weights(make_job: MakeJob) -> None:
    assert make_job("TEXT", schedule(seed=8)).run().losses() != make_job("TEXT", schedule(seed=9)).run().losses()


def test_the_adapter_has_the_shape_that_was_asked_for(make_job: MakeJob) -> None:
    lora = {"rank": 3, "alpha": 30, "dropout": 0.5, "trainable_modules": "q_proj, down_proj"}
    seen = Seen(make_job("TEXT", {"method": {"lora_config": lora}}))
    shapes = {name.split(".")[-3]: tuple(value.shape) for name, value in factors(seen.sink).items() if "lora_A" in name}
    assert shapes == {"q_proj": (3, 64), "down_proj": (3, 128)}
    assert seen.dropout == {0.5}
    assert {name.split(".")[-4] for name in seen.trained} == {"q_proj", "down_proj"}


@pytest.mark.parametrize("setting", [{"alpha": 64}, {"dropout": 0.5}, {"rank": 2}, {"trainable_modules": "v_proj"}])
def test_each_setting_of_the_adapter_changes_the_run(make_job: MakeJob, setting: dict[str, Any]) -> None:
    assert make_job("TEXT", {"method": {"lora_config": setting}}).run().losses() != make_job("TEXT").run().losses()


def test_full_training_moves_every_weight(make_job: MakeJob) -> None:
    seen = Seen(make_job("TEXT", method="FULL"))
    assert len(seen.trained) == 2 * 9 + 2
    assert seen.frozen == set()


@pytest.mark.parametrize(
    ("method", "precision", "trained", "frozen"),
    [
        ("LORA", "FP32", torch.float32, {torch.float32}),
        ("LORA", "BF16", torch.float32, {torch.bfloat16}),
        ("FULL", "FP32", torch.float32, set()),
        ("FULL", "BF16", torch.float32, set()),
    ],
)
def test_precision_is_what_weights_are_held_in(
    make_job: MakeJob, method: str, precision: str, trained: torch.dtype, frozen: set[torch.dtype]
) -> None:
    seen = Seen(make_job("TEXT", {"model": {"precision": f"MODEL_PRECISION_{precision}"}}, method=method))
    assert set(seen.trained.values()) == {trained}
    assert seen.frozen == frozen
    exact = make_job("TEXT", method=method).run().losses()
    assert (seen.sink.losses() == exact) == (precision == "FP32")
    assert seen.sink.losses() == pytest.approx(exact, rel=0.01)


def test_without_master_weights_all_is_held_in_bfloat16_and_trains(make_job: MakeJob) -> None:
    settings: dict[str, Any] = {"model": {"precision": "MODEL_PRECISION_BF16", "master_weights": False}, **schedule(max_steps=12)}
    seen = Seen(make_job("TEXT", settings, method="FULL"))
    assert set(seen.trained.values()) == {torch.bfloat16}
    assert seen.states == {torch.bfloat16}
    losses = seen.sink.losses()
    assert losses[-1] < losses[0] - 0.3
    exact = make_job("TEXT", schedule(max_steps=12), method="FULL").run().losses()
    assert losses == pytest.approx(exact, rel=0.05)
    held = make_job("TEXT", settings | {"model": {"precision": "MODEL_PRECISION_BF16"}}, method="FULL")
    assert held.run().losses() != losses


@pytest.mark.parametrize(
    ("features", "library", "bits", "paged"),
    [
        ((), "torch", 32, False),
        (("OPTIMIZER_8BIT",), "bitsandbytes", 8, False),
        (("PAGED_OPTIMIZER",), "bitsandbytes", 32, True),
        (("OPTIMIZER_8BIT", "PAGED_OPTIMIZER"), "bitsandbytes", 8, True),
    ],
)
def test_the_optimizer_is_the_one_asked_for(
    make_job: MakeJob, features: tuple[str, ...], library: str, bits: int, paged: bool
) -> None:
    seen = Seen(make_job("TEXT", optimizations("DYNAMIC_PADDING", *features), method="FULL"))
    assert (seen.optimizer, seen.bits, seen.paged) == (library, bits, paged)
    assert seen.sink.losses() == pytest.approx(make_job("TEXT", method="FULL").run().losses(), rel=0.01)


def test_activations_are_computed_again_if_asked(make_job: MakeJob) -> None:
    kept = Seen(make_job("TEXT", optimizations("DYNAMIC_PADDING")))
    again = Seen(make_job("TEXT", optimizations("DYNAMIC_PADDING", "GRADIENT_CHECKPOINTING")))
    assert (kept.checkpointing, again.checkpointing) == (False, True)
    assert again.sink.losses() == pytest.approx(kept.sink.losses(), rel=1e-6)


def test_decay_and_clipping_act(make_job: MakeJob) -> None:
    seen = Seen(make_job("TEXT", {"optimizer": {"weight_decay": 0.25, "max_gradient_norm": 0}}, method="FULL"))
    assert seen.weight_decay == {0.25, 0.0}  # norms are not decayed
    clipped = make_job("TEXT", {"optimizer": {"max_gradient_norm": 0.01, "weight_decay": 0.25}}, method="FULL").run()
    assert seen.sink.points["gradient_norm"][1] == clipped.points["gradient_norm"][1]
    assert seen.sink.losses()[1:] != clipped.losses()[1:]


@pytest.mark.parametrize(
    ("curve", "warmup", "rates"),
    [
        ("POLYNOMIAL", 0.0, [1.0, 0.60625, 0.325, 0.15625]),
        # A warm-up over the whole run leaves the curve one step to fall in.
        ("POLYNOMIAL", 1.0, [0.0, 1 / 3, 2 / 3, 1.0]),
        ("LINEAR", 0.5, [0.0, 0.5, 1.0, 0.55]),
        ("COSINE", 0.0, [1.0, 0.1 + 0.45 * (1 + math.cos(math.pi / 4)), 0.55, 0.1 + 0.45 * (1 - math.cos(math.pi / 4))]),
        ("COSINE", 1.0, [0.0, 0.25, 0.5, 0.75]),
    ],
)
def test_the_rate_follows_its_curve(make_job: MakeJob, curve: str, warmup: float, rates: list[float]) -> None:
    scheduler = {"type": f"LR_SCHEDULER_TYPE_{curve}", "warmup_ratio": warmup, "min_lr_ratio": 0.1}
    settings = {"optimizer": {"learning_rate": 0.001, "scheduler": scheduler}, "schedule": {"max_steps": None, "epochs": 1}}
    points = make_job("TEXT", settings).run().points["learning_rate"]
    assert list(points) == [1, 2, 3, 4]
    assert list(points.values()) == pytest.approx([0.001 * rate for rate in rates])


def test_a_warm_up_over_the_whole_run_counts_only_rows_that_are_trained_on(make_job: MakeJob) -> None:
    scheduler = {"type": "LR_SCHEDULER_TYPE_POLYNOMIAL", "warmup_ratio": 1.0}
    lost = [{"prompt": "word " * 600, "completion": "end"}] * 4
    settings = schedule(max_steps=None, epochs=1) | {"optimizer": {"learning_rate": 0.001, "scheduler": scheduler}}
    sink = make_job("PROMPT_COMPLETION", settings, training=ROWS["PROMPT_COMPLETION"][:4] + lost).run()
    assert list(sink.points["learning_rate"].values()) == pytest.approx([0.0, 0.001])


def test_every_step_has_its_figures(make_job: MakeJob) -> None:
    job = make_job("TEXT", schedule(max_steps=4), evaluate=True)
    sink = job.run()
    keys = {"train_loss", "learning_rate", "gradient_norm", "tokens_per_second", "memory_bytes", "epoch"}
    layers = {f"{series}/layer_{number}" for series in ("gradient_norm", "weight_norm") for number in (0, 1)}
    assert set(sink.points) == keys | {"eval_loss"} | layers
    assert {key: sorted(sink.points[key]) for key in keys} == {key: [1, 2, 3, 4] for key in keys}
    assert [step for step, *_ in sink.steps] == [0, 1, 2, 3, 4]
    assert [remaining is None for *_, remaining in sink.steps] == [True, False, False, False, False]
    assert sink.steps[-1][3] == 0
    figures = sink.figures
    assert 0 < figures.step_seconds < figures.duration_seconds < 60


def test_memory_grows_with_what_a_step_holds(make_job: MakeJob) -> None:
    sink = make_job("TEXT", optimizations() | schedule(max_steps=1, batch_size=8, sequence_length=2048), method="FULL").run()
    # A batch of 16,384 tokens: in float32 one activation of 64 features is 4 MiB, and two layers keep dozens.
    assert sink.figures.peak_memory_bytes > 100 << 20
    assert sink.figures.peak_memory_bytes >= sink.points["memory_bytes"][1]


def test_tokens_are_counted_without_padding(make_job: MakeJob, tiny_base: Any) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokens = sum(len(tokenizer(row["text"])["input_ids"]) + 1 for row in ROWS["TEXT"][:8])
    sink = make_job("TEXT", optimizations() | schedule(max_steps=None, epochs=2, batch_size=8)).run()
    seconds = [tokens / rate for rate in sink.points["tokens_per_second"].values()]
    assert len(seconds) == 2
    assert sink.figures.step_seconds == pytest.approx(sum(seconds) / 2)  # the median of two is their mean
    assert sink.figures.tokens_per_second == pytest.approx(2 * tokens / sum(seconds))
