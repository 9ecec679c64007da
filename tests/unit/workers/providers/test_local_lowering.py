"""What becomes of each field, as a person reads it on the job."""

from typing import Any

import pytest
from tunesmith.provider.v1.lowering_pb2 import FieldLowering, LoweringAction
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.knobs import set_paths
from workers.providers.local.datasets import refuse_dataset
from workers.providers.local.provider import LOCAL

from .conftest import Submit

CHAT, STANDARD = 1, 2

ALL_SECTIONS: dict[str, Any] = {
    "model": {"precision": "MODEL_PRECISION_FP32"},
    "datasets": {"validation_file_id": "held-out", "strategy": "DATASET_STRATEGY_STANDARD"},
    "method": {
        "objective": "TRAINING_OBJECTIVE_SFT",
        "lora_config": {"rank": 4, "alpha": 8, "dropout": 0.1, "trainable_modules": "q_proj, v_proj"},
    },
    "schedule": {
        "batch_size": 2,
        "sequence_length": 512,
        "gradient_accumulation": 2,
        "checkpoints": 2,
        "evaluations": 3,
        "train_on_inputs": "TRAIN_ON_INPUTS_AUTO",
        "max_steps": 9,
        "seed": 1,
        "epochs": 2,
    },
    "optimizer": {
        "learning_rate": 0.001,
        "scheduler": {"type": "LR_SCHEDULER_TYPE_COSINE", "min_lr_ratio": 0.1, "warmup_ratio": 0.1, "cycles": 1},
        "weight_decay": 0.01,
        "max_gradient_norm": 0,
    },
    "optimizations": {
        "enabled": ["OPTIMIZATION_FEATURE_SEQUENCE_PACKING", "OPTIMIZATION_FEATURE_LENGTH_GROUPING"],
    },
    "hardware": {"gpu_type": "A100", "num_gpus": 2, "strategy": "DISTRIBUTION_STRATEGY_DDP"},
    "integrations": {
        "wandb": {"project": "p", "run_name": "r", "credential_id": "c", "base_url": "https://w.example"},
        "huggingface": {"credential_id": "TEAM_TOKEN", "output_repo_name": "me/model"},
    },
    "output": {"suffix": "v1"},
    "metadata": {"together": {"n_checkpoints": 2}, "local": {"threads": 4}},
}


def lowered(submit: Submit, over: dict[str, Any], *, knowing_what_was_submitted: bool = True) -> dict[str, FieldLowering]:
    submitted, resolved = submit(over)
    fields = LOCAL.lower(resolved, submitted if knowing_what_was_submitted else None)
    by_path = {field.field_path: field for field in fields}
    assert len(by_path) == len(fields)
    return by_path


def action(fields: dict[str, FieldLowering], path: str) -> str:
    return LoweringAction.Name(fields[path].action).removeprefix("LOWERING_ACTION_")


def test_every_field_that_was_submitted_is_answered_for(submit: Submit) -> None:
    fields = lowered(submit, ALL_SECTIONS)
    submitted, _ = submit(ALL_SECTIONS)
    paths = set(set_paths(submitted))
    assert len(paths) == 39  # all but the soft prompt, which needs a method of its own
    parts = {"optimizations.enabled": 2, "metadata": 2}
    for path in paths - set(parts):
        assert path in fields
    for path, count in parts.items():
        assert len([name for name in fields if name.startswith(path)]) == count
    assert all(len(field.detail.split()) > 2 for field in fields.values() if field.action != 1)


def test_what_does_not_act_is_dropped_by_name(submit: Submit) -> None:
    fields = lowered(submit, ALL_SECTIONS)
    dropped = {path for path in fields if action(fields, path) == "DROPPED"}
    assert dropped == {
        "schedule.epochs",
        "optimizations.enabled[1]",
        "metadata.together",
        "metadata.local.threads",
    }
    assert "LENGTH_GROUPING: SEQUENCE_PACKING leaves no padding" in fields["optimizations.enabled[1]"].detail
    assert "max_steps=9" in fields["schedule.epochs"].detail


def test_a_default_nobody_asked_for_is_no_noise(submit: Submit) -> None:
    constant = {"optimizer": {"scheduler": {"type": "LR_SCHEDULER_TYPE_CONSTANT"}}, "schedule": {"max_steps": 3}}
    fields = lowered(submit, constant)
    silent = {"optimizer.scheduler.min_lr_ratio", "schedule.epochs", "schedule.evaluations"}
    assert not silent & set(fields)
    asked = {path for path, field in lowered(submit, constant, knowing_what_was_submitted=False).items() if field.action == 3}
    assert asked == silent


@pytest.mark.parametrize(
    ("over", "path", "word"),
    [
        ({"schedule": {"evaluations": 2}}, "schedule.evaluations", "validation_file_id"),
        ({"schedule": {"keep_best": True}}, "schedule.keep_best", "validation_file_id"),
        ({"schedule": {"early_stopping_patience": 2}}, "schedule.early_stopping_patience", "validation_file_id"),
        ({"schedule": {"epochs": 2, "max_steps": 5}}, "schedule.epochs", "max_steps"),
        (
            {"optimizer": {"scheduler": {"type": "LR_SCHEDULER_TYPE_CONSTANT", "warmup_ratio": 0.1}}},
            "optimizer.scheduler.warmup_ratio",
            "CONSTANT_WITH_WARMUP",
        ),
        (
            {"optimizer": {"scheduler": {"type": "LR_SCHEDULER_TYPE_CONSTANT", "min_lr_ratio": 0.1}}},
            "optimizer.scheduler.min_lr_ratio",
            "COSINE",
        ),
        (
            {"optimizer": {"scheduler": {"type": "LR_SCHEDULER_TYPE_CONSTANT_WITH_WARMUP", "min_lr_ratio": 0.1}}},
            "optimizer.scheduler.min_lr_ratio",
            "COSINE",
        ),
        (
            {"optimizer": {"scheduler": {"type": "LR_SCHEDULER_TYPE_LINEAR", "cycles": 1}}},
            "optimizer.scheduler.cycles",
            "COSINE",
        ),
        ({"method": {"type": "TRAINING_METHOD_FULL"}}, "method.lora_config.rank", "LORA"),
        ({"model": {"master_weights": False}}, "model.master_weights", "float32"),
    ],
)
def test_a_field_without_effect_is_dropped_with_what_to_do(submit: Submit, over: dict[str, Any], path: str, word: str) -> None:
    fields = lowered(submit, over, knowing_what_was_submitted=False)
    assert action(fields, path) == "DROPPED"
    assert word in fields[path].detail


@pytest.mark.parametrize(
    ("over", "path", "fix"),
    [
        ({"model": {"precision": "MODEL_PRECISION_FP8"}}, "model.precision", "BF16 or FP32"),
        ({"model": {"precision": "MODEL_PRECISION_INT8"}}, "model.precision", "QLORA"),
        ({"model": {"precision": "MODEL_PRECISION_INT4"}}, "model.precision", "QLORA"),
    ],
)
def test_what_would_mean_another_job_is_refused(submit: Submit, over: dict[str, Any], path: str, fix: str) -> None:
    fields = lowered(submit, over)
    assert [name for name in fields if action(fields, name) == "REFUSED"] == [path]
    assert fix in fields[path].detail
    with pytest.raises(ValueError, match=path):
        LOCAL.translate(submit(over)[1])


@pytest.mark.parametrize(
    ("method", "value", "said", "precision"),
    [
        ("FULL", True, "dtype='float32'", "held in float32"),
        ("FULL", False, "dtype='bfloat16'", "in bfloat16"),
        ("LORA", True, "held in float32", "adapter's own weights in float32"),
    ],
)
def test_master_weights_say_what_trained_weights_are_held_in(
    submit: Submit, method: str, value: bool, said: str, precision: str
) -> None:
    over = {"model": {"master_weights": value}, "method": {"type": f"TRAINING_METHOD_{method}"}}
    fields = lowered(submit, over, knowing_what_was_submitted=False)
    assert action(fields, "model.master_weights") == "SENT"
    assert said in fields["model.master_weights"].detail
    assert precision in fields["model.precision"].detail


@pytest.mark.parametrize("strategy", ["DDP", "FSDP", "ZERO_1", "ZERO_2", "ZERO_3"])
def test_no_way_of_distribution_acts(submit: Submit, strategy: str) -> None:
    fields = lowered(submit, {"hardware": {"strategy": f"DISTRIBUTION_STRATEGY_{strategy}"}})
    assert action(fields, "hardware.strategy") == "DROPPED"


@pytest.mark.parametrize("name", [value.name for value in dataset_pb2.DatasetFormat.DESCRIPTOR.values if value.number])
@pytest.mark.parametrize("strategy", [None, 0, CHAT, STANDARD])
def test_a_dataset_has_to_fit_its_strategy(name: str, strategy: Any) -> None:
    chat = {"DATASET_FORMAT_MESSAGES", "DATASET_FORMAT_SHAREGPT"}
    standard = {f"DATASET_FORMAT_{name}" for name in ("TEXT", "PROMPT_COMPLETION", "ALPACA", "IMAGE_CAPTION")}
    refusals = refuse_dataset(dataset_pb2.DatasetFormat.Value(name), strategy)
    if name not in chat | standard:
        assert [refusal.field_path for refusal in refusals] == ["datasets.training_file_id"]
        assert "upload" in refusals[0].detail
    elif (strategy == CHAT and name in standard) or (strategy == STANDARD and name in chat):
        assert [refusal.field_path for refusal in refusals] == ["datasets.strategy"]
        assert name.removeprefix("DATASET_FORMAT_") in refusals[0].detail
        assert "leave strategy unset" in refusals[0].detail
    else:
        assert refusals == []


def test_a_refused_validation_dataset_is_named_as_such() -> None:
    refusals = refuse_dataset(dataset_pb2.DATASET_FORMAT_PREFERENCE, None, "datasets.validation_file_id")
    assert [refusal.field_path for refusal in refusals] == ["datasets.validation_file_id"]


def test_a_push_takes_its_token_from_a_variable_that_is_named_for_one(submit: Submit) -> None:
    named = {"integrations": {"huggingface": {"output_repo_name": "me/model", "credential_id": "TEAM_TOKEN"}}}
    fields = lowered(submit, named)
    assert action(fields, "integrations.huggingface.output_repo_name") == "SENT"
    assert "TEAM_TOKEN" in fields["integrations.huggingface.credential_id"].detail
    named["integrations"]["huggingface"]["credential_id"] = "PATH"
    assert action(lowered(submit, named), "integrations.huggingface.credential_id") == "REFUSED"
