"""Each knob changes what the libraries are given, and nothing but what it names."""

import json
from typing import Any

import pytest
from tunesmith.config.v1 import schedule_pb2
from tunesmith.config.v1.optimizations_pb2 import OptimizationFeature
from tunesmith.registry.v1 import dataset_pb2

from workers.providers.local import distillation, hardware, integrations, preference, soft_prompt
from workers.providers.local.datasets import loss_arguments
from workers.providers.local.optimizations import SENT_OPTIMIZATIONS
from workers.providers.local.plan import plan
from workers.providers.local.provider import LOCAL, RULES
from workers.providers.provider import NeverActs

from .conftest import Submit, merged

VALIDATED = {"datasets": {"validation_file_id": "held-out"}, "schedule": {"evaluations": 4}}

# A setting that differs from the default, for each field that acts on the arguments, and what it changes.
KNOBS: dict[str, tuple[Any, dict[str, Any]]] = {
    "model.precision": ("MODEL_PRECISION_FP32", {"weights.dtype": "float32", "trainer.bf16": False, "saved_dtype": "float32"}),
    "method.lora_config.rank": (4, {"adapter.r": 4}),
    "method.lora_config.alpha": (9, {"adapter.lora_alpha": 9}),
    "method.lora_config.dropout": (0.25, {"adapter.lora_dropout": 0.25}),
    "method.lora_config.use_dora": (True, {"adapter.use_dora": True}),
    "method.lora_config.use_rslora": (True, {"adapter.use_rslora": True}),
    "method.lora_config.trainable_modules": ("q_proj ,v_proj", {"adapter.target_modules": ["q_proj", "v_proj"]}),
    "schedule.epochs": (5, {"trainer.num_train_epochs": 5}),
    "schedule.batch_size": (8, {"trainer.per_device_train_batch_size": 8, "trainer.per_device_eval_batch_size": 8}),
    "schedule.sequence_length": (640, {"trainer.max_length": 640, "trainer.pad_to_multiple_of": 640}),
    "schedule.gradient_accumulation": (3, {"trainer.gradient_accumulation_steps": 3}),
    "schedule.checkpoints": (4, {"checkpoints": 4}),
    "schedule.evaluations": (0, {"evaluations": 0, "trainer.eval_on_start": False}),
    "schedule.train_on_inputs": ("TRAIN_ON_INPUTS_ENABLED", {"trainer.completion_only_loss": False}),
    "schedule.max_steps": (11, {"trainer.max_steps": 11, "trainer.num_train_epochs": None}),
    "schedule.seed": (3, {"trainer.seed": 3}),
    "schedule.early_stopping_patience": (3, {"patience": 3}),
    "schedule.keep_best": (True, {"keeps_best": True}),
    "schedule.histograms": (7, {"histograms": 7}),
    "schedule.step_timeout_seconds": (90, {"step_timeout_s": 90.0}),
    "optimizer.learning_rate": (0.5, {"trainer.learning_rate": 0.5}),
    "optimizer.scheduler.type": (
        "LR_SCHEDULER_TYPE_LINEAR",
        {"trainer.lr_scheduler_type": "linear", "trainer.lr_scheduler_kwargs": None},
    ),
    "optimizer.scheduler.min_lr_ratio": (
        0.1,
        {
            "trainer.lr_scheduler_type": "cosine_with_min_lr",
            "trainer.lr_scheduler_kwargs": {"num_cycles": 0.5, "min_lr_rate": 0.1},
        },
    ),
    "optimizer.scheduler.warmup_ratio": (0.2, {"trainer.warmup_steps": 0.2}),
    "optimizer.scheduler.cycles": (1.0, {"trainer.lr_scheduler_kwargs": {"num_cycles": 1.0}}),
    "optimizer.weight_decay": (0.3, {"trainer.weight_decay": 0.3}),
    "optimizer.max_gradient_norm": (0, {"trainer.max_grad_norm": 0.0}),
}
# What acts, but in the recipe and not as an argument: the names and rows it is given, and the card it writes.
OUTSIDE_THE_ARGUMENTS = {
    "model.base_model",
    "datasets.training_file_id",
    "datasets.strategy",
    "output.suffix",
}
TESTS_OF_THEIR_OWN = {
    *("model.master_weights", "method.type", "method.objective", "datasets.validation_file_id", "optimizations.enabled"),
    # See test_local_methods.
    *("model.double_quantization", "model.rope_scaling.type", "model.rope_scaling.factor"),
    *soft_prompt.RULES,
    *preference.RULES,
    *distillation.RULES,
    *hardware.RULES,
    *integrations.RULES,
}

OPTIMIZATIONS: dict[str, dict[str, Any]] = {
    "GRADIENT_CHECKPOINTING": {
        "trainer.activation_checkpointing": True,
        "trainer.activation_checkpointing_kwargs": {"use_reentrant": False},
    },
    "OPTIMIZER_8BIT": {"trainer.optim": "adamw_bnb_8bit"},
    "PAGED_OPTIMIZER": {"trainer.optim": "paged_adamw_32bit"},
    "DYNAMIC_PADDING": {"trainer.pad_to_multiple_of": None},
    "SEQUENCE_PACKING": {"trainer.packing": True, "trainer.pad_to_multiple_of": None},
    "LENGTH_GROUPING": {"trainer.train_sampling_strategy": "group_by_length", "trainer.pad_to_multiple_of": None},
    "FLASH_ATTENTION": {"weights.attn_implementation": "flash_attention_2"},
    "FUSED_KERNELS": {"trainer.use_liger_kernel": True},
    "ACTIVATION_OFFLOADING": {"trainer.activation_offloading": True},
}


def flat(submit: Submit, over: dict[str, Any]) -> dict[str, Any]:
    """A plan's arguments by dotted name."""
    made = plan(submit(merged(VALIDATED, over))[1], dataset_pb2.DATASET_FORMAT_ALPACA)
    arguments: dict[str, Any] = {f"adapter.{key}": value for key, value in (made.adapter or {}).items()}
    arguments |= {f"trainer.{key}": value for key, value in made.trainer.items()}
    arguments |= {f"weights.{key}": value for key, value in made.weights.items()}
    around = ("saved_dtype", "checkpoints", "evaluations", "patience", "keeps_best", "histograms", "step_timeout_s")
    return arguments | {name: getattr(made, name) for name in around}


def nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def changed(submit: Submit, over: dict[str, Any]) -> dict[str, Any]:
    before, after = flat(submit, {}), flat(submit, over)
    return {key: after.get(key) for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def test_every_field_that_acts_is_tried_here() -> None:
    acting_fields = {path for path, rule in RULES.items() if not isinstance(rule, NeverActs)}
    assert len(acting_fields) == 68
    assert acting_fields == set(KNOBS) | OUTSIDE_THE_ARGUMENTS | TESTS_OF_THEIR_OWN
    acting = {OptimizationFeature.Name(feature) for feature in SENT_OPTIMIZATIONS}
    assert {f"OPTIMIZATION_FEATURE_{name}" for name in OPTIMIZATIONS} == acting


@pytest.mark.parametrize("path", list(KNOBS))
def test_a_knob_changes_its_arguments_and_no_others(submit: Submit, path: str) -> None:
    value, expected = KNOBS[path]
    assert changed(submit, nested(path, value)) == expected


def test_full_training_makes_no_adapter_and_holds_its_weights_in_32_bits(submit: Submit) -> None:
    difference = changed(submit, {"method": {"type": "TRAINING_METHOD_FULL", "lora_config": None}})
    assert {key for key in difference if not key.startswith("adapter.")} == {"weights.dtype"}
    assert plan(submit({"method": {"type": "TRAINING_METHOD_FULL", "lora_config": None}})[1]).adapter is None


@pytest.mark.parametrize("name", list(OPTIMIZATIONS))
def test_an_optimization_changes_its_arguments_and_no_others(submit: Submit, name: str) -> None:
    assert changed(submit, {"optimizations": {"enabled": [f"OPTIMIZATION_FEATURE_{name}"]}}) == OPTIMIZATIONS[name]


def test_both_optimizers_are_one_paged_one_of_8_bits(submit: Submit) -> None:
    both = {"enabled": ["OPTIMIZATION_FEATURE_OPTIMIZER_8BIT", "OPTIMIZATION_FEATURE_PAGED_OPTIMIZER"]}
    assert changed(submit, {"optimizations": both}) == {"trainer.optim": "paged_adamw_8bit"}


def test_without_a_validation_dataset_nothing_is_evaluated(submit: Submit) -> None:
    made = plan(submit({"schedule": {"evaluations": 4}})[1])
    assert (made.evaluations, made.trainer["eval_on_start"]) == (0, False)
    validated = plan(submit(merged(VALIDATED, {"schedule": {"evaluations": 4}}))[1])
    assert (validated.evaluations, validated.trainer["eval_on_start"]) == (4, True)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("TEXT", "AUTO", (False, False)),
        ("TEXT", "DISABLED", (False, False)),
        ("PROMPT_COMPLETION", "AUTO", (True, False)),
        ("PROMPT_COMPLETION", "DISABLED", (True, False)),
        ("PROMPT_COMPLETION", "ENABLED", (False, False)),
        ("ALPACA", "AUTO", (True, False)),
        ("MESSAGES", "AUTO", (False, True)),
        ("MESSAGES", "DISABLED", (False, True)),
        ("MESSAGES", "ENABLED", (False, False)),
        ("SHAREGPT", "AUTO", (False, True)),
    ],
)
def test_which_tokens_count_in_the_loss(name: str, value: str, expected: tuple[bool, bool]) -> None:
    arguments = loss_arguments(
        dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{name}"), schedule_pb2.TrainOnInputs.Value(f"TRAIN_ON_INPUTS_{value}")
    )
    assert (arguments["completion_only_loss"], arguments["assistant_only_loss"]) == expected


def test_what_is_shown_of_a_translation_is_plain_json(submit: Submit) -> None:
    shown = LOCAL.translate(submit({})[1])
    assert json.loads(json.dumps(shown)) == shown
    around = {"saved_dtype", "checkpoints", "evaluations", "patience", "keeps_best", "histograms", "step_timeout_s"}
    assert set(shown) == {"weights", "trainer", "adapter", "objective"} | around


def test_only_safetensors_and_no_code_of_others_is_loaded(submit: Submit) -> None:
    weights = plan(submit({})[1]).weights
    assert (weights["use_safetensors"], weights["trust_remote_code"]) == (True, False)


def test_weights_that_move_stay_in_32_bits(submit: Submit) -> None:
    bf16 = {"model": {"precision": "MODEL_PRECISION_BF16"}}
    lora = plan(submit(bf16)[1])
    full = plan(submit(merged(bf16, {"method": {"type": "TRAINING_METHOD_FULL"}}))[1])
    assert (lora.weights["dtype"], lora.saved_dtype, lora.trainer["bf16"]) == ("bfloat16", "bfloat16", True)
    assert (full.weights["dtype"], full.saved_dtype, full.trainer["bf16"]) == ("float32", "bfloat16", True)
    kept = plan(submit(merged(bf16, {"method": {"type": "TRAINING_METHOD_FULL"}, "model": {"master_weights": True}}))[1])
    assert kept == full


def test_without_master_weights_all_is_in_bfloat16(submit: Submit) -> None:
    full = {"method": {"type": "TRAINING_METHOD_FULL", "lora_config": None}}
    masters, none = flat(submit, full), flat(submit, merged(full, {"model": {"master_weights": False}}))
    difference = {key: none[key] for key in masters if masters[key] != none[key]}
    assert difference == {"weights.dtype": "bfloat16", "trainer.bf16": False}


def test_an_adapter_is_trained_in_float32_whatever_is_said_of_master_weights(submit: Submit) -> None:
    assert changed(submit, {"model": {"master_weights": False}}) == {}
    assert changed(submit, {"model": {"master_weights": True}}) == {}
