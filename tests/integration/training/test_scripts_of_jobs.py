"""A job's script, run where Tunesmith can't be imported, has the job's losses to the last bit."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from workers.providers.local.script.script import python_script
from workers.providers.script import ScriptedJob

from .conftest import Job

pytestmark = pytest.mark.integration

TEN_STEPS = {"schedule": {"max_steps": 10}}
LORA = {"method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 4, "dropout": 0.1}}}


def _enabled(*names: str) -> dict[str, Any]:
    return {"optimizations": {"enabled": [f"OPTIMIZATION_FEATURE_{name}" for name in names]}}


def _method(name: str, **more: Any) -> dict[str, Any]:
    return {"method": {"type": f"TRAINING_METHOD_{name}", **more}}


def _prompt(**settings: Any) -> dict[str, Any]:
    return {"prompt_tuning_config": {"num_virtual_tokens": 4, **settings}}


DPO = {"objective": "TRAINING_OBJECTIVE_DPO"}
BF16 = {"model": {"precision": "MODEL_PRECISION_BF16"}}

# Format, settings, whether it evaluates.
CASES: dict[str, tuple[str, dict[str, Any], bool]] = {
    "text, full": ("TEXT", _method("FULL") | {"optimizer": {"weight_decay": 0.1, "scheduler": {"warmup_ratio": 0.2}}}, True),
    "messages, LoRA": ("MESSAGES", LORA | {"optimizer": {"scheduler": {"min_lr_ratio": 0.1}}}, True),
    "ShareGPT, full": ("SHAREGPT", _method("FULL") | {"schedule": {"train_on_inputs": "TRAIN_ON_INPUTS_ENABLED"}}, False),
    "Alpaca, rsLoRA": (
        "ALPACA",
        _method("LORA", lora_config={"rank": 4, "use_rslora": True})
        | {"schedule": {"max_steps": None, "epochs": 5, "gradient_accumulation": 2}}
        | _enabled(),
        False,
    ),
    "Alpaca, LoRA, bfloat16": ("ALPACA", LORA | BF16, False),
    "text, full, bfloat16": ("TEXT", _method("FULL") | BF16, False),
    "QLoRA": ("ALPACA", _method("QLORA", lora_config={"rank": 4}) | {"model": {"precision": "MODEL_PRECISION_INT4"}}, False),
    "DoRA, stretched": (
        "TEXT",
        _method("LORA", lora_config={"rank": 4, "use_dora": True}) | {"model": {"rope_scaling": {"factor": 4}}},
        False,
    ),
    "prompt, from a text": ("TEXT", _method("PROMPT_TUNING", **_prompt(initial_text="Go on")), False),
    "prefix": ("PROMPT_COMPLETION", _method("PREFIX_TUNING", **_prompt()), False),
    "P-tuning": ("TEXT", _method("P_TUNING", **_prompt(encoder_hidden_size=16)), False),
    "packed": ("ALPACA", LORA | _enabled("SEQUENCE_PACKING"), False),
    "grouped": ("ALPACA", LORA | _enabled("LENGTH_GROUPING", "GRADIENT_CHECKPOINTING"), False),
    "pre-training": ("TEXT", _method("FULL", objective="TRAINING_OBJECTIVE_CONTINUED_PRETRAINING"), True),
    "DPO, LoRA": ("PREFERENCE", _method("LORA", lora_config={"rank": 4}, **DPO), True),
    "DPO, full": ("PREFERENCE", _method("FULL", **DPO), False),
    "DPO, reference-free": (
        "PREFERENCE",
        _method("LORA", lora_config={"rank": 4}, preference_config={"reference_free": True, "sft_weight": 0.5}, **DPO),
        False,
    ),
}


def test_a_script_has_the_losses_of_its_job(make_job: Callable[..., Job], tmp_path: Path) -> None:
    folders, expected = {}, {}
    for case, (dataset_format, settings, evaluate) in CASES.items():
        job = make_job(dataset_format, _merged(TEN_STEPS, settings), method="FULL", evaluate=evaluate)
        folders[case] = _write_script(job, tmp_path / f"script-{len(folders)}")
        expected[case] = job.run()

    _run(folders.values())

    assert len(expected) == 17
    for case, folder in folders.items():
        found = json.loads((folder / "losses.json").read_text())
        assert len(found["loss"]) == 10, case
        assert found["loss"] == expected[case].losses(), case
        assert found["grad_norm"] == list(expected[case].points["gradient_norm"].values()), case
        assert found["eval_loss"] == [loss for _, loss in expected[case].evaluations], case
        _assert_equal_weights(folder / "output", expected[case].artifacts_folder, case)


def _write_script(job: Job, folder: Path) -> Path:
    assignment, inputs = job.assignment, job.inputs
    scripted = ScriptedJob(
        assignment.lease.job_id,
        "tiny on rows",
        "local",
        assignment.configuration,
        assignment.base_model,
        assignment.training_dataset,
        assignment.validation_dataset if assignment.HasField("validation_dataset") else None,
    )
    folder.mkdir()
    (folder / "train.py").write_text(python_script(scripted).content, encoding="utf-8")
    given = [str(inputs.training_rows), "--base-model", inputs.base_model]
    given += ["--validation-file", str(inputs.validation_rows)] if inputs.validation_rows else []
    (folder / "arguments.json").write_text(json.dumps(given))
    return folder


def _run(folders: Any) -> None:
    program = Path(__file__).with_name("run_scripts.py")
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-I", program, *folders], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def _assert_equal_weights(theirs: Path, ours: Path, case: str) -> None:
    name = "adapter_model.safetensors" if (theirs / "adapter_model.safetensors").exists() else "model.safetensors"
    script = load_file(theirs / name)
    job = load_file(ours / ("adapter" if name.startswith("adapter") else "model") / name)
    assert script.keys() == job.keys() != set(), case
    assert all(torch.equal(script[key], job[key]) for key in job), case


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return base | {key: {**base.get(key, {}), **value} for key, value in over.items()}
