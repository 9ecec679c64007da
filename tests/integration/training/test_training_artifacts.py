"""What a job leaves loads where Tunesmith is not installed, says where it came from, and can't run code."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM
from tunesmith.job.v1 import artifact_pb2

from .conftest import Job

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]

# No Tunesmith: the script runs isolated, in a folder of its own, and says so if it finds any.
LOAD_ADAPTER = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
row = tokenizer("The kettle sings", return_tensors="pt")
with torch.no_grad():
    before = base(**row).logits
    tuned = PeftModel.from_pretrained(base, sys.argv[2])
    after = tuned(**row).logits
assert not [name for name in sys.modules if name.split(".")[0] in ("workers", "services", "tunesmith", "trl")]
print(torch.isfinite(after).all().item(), torch.equal(before, after))
"""

WEIGHTS_AND_WORDS = {".safetensors", ".json", ".jinja", ".md"}


def files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir()}


def assert_clean(folder: Path, *secret_paths: Path) -> None:
    """Only weights, settings and words; and no path of this machine in them."""
    found = files(folder)
    assert len(found) >= 5
    assert {path.suffix for path in found.values()} <= WEIGHTS_AND_WORDS
    for path in found.values():
        content = path.read_bytes()
        assert not [str(secret) for secret in secret_paths if str(secret).encode() in content], path.name


def test_an_adapter_loads_with_peft_alone(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    job = make_job("MESSAGES", {"output": {"suffix": "v1"}, "optimizer": {"learning_rate": 0.01}}, evaluate=True)
    sink = job.run()
    adapter = sink.artifacts_folder / "adapter"
    assert sink.sets == {"adapter": (artifact_pb2.ARTIFACT_KIND_ADAPTER, 5)}
    assert {"adapter_config.json", "adapter_model.safetensors", "README.md", "tokenizer.json"} <= files(adapter).keys()
    assert_clean(adapter, tiny_base, tmp_path)

    config = json.loads((adapter / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"], config["r"]) == ("tunesmith/tiny", "abc123", 4)
    assert config["target_modules"] == sorted(config["target_modules"])
    card = (adapter / "README.md").read_text()
    assert "# tiny-v1\n" in card
    assert f"| {sink.evaluations[0][1]:.4f} | {sink.evaluations[-1][1]:.4f} |" in card

    script = [sys.executable, "-I", "-c", LOAD_ADAPTER, str(tiny_base), str(adapter)]
    loaded = subprocess.run(script, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert loaded.stdout.split() == ["True", "False"], loaded.stderr[-2000:]


def test_a_model_loads_with_transformers_alone(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    sink = make_job("TEXT", {"schedule": {"checkpoints": 1}}, method="FULL").run()
    assert sink.sets == {
        "checkpoint-5": (artifact_pb2.ARTIFACT_KIND_CHECKPOINT, 5),
        "model": (artifact_pb2.ARTIFACT_KIND_MODEL, 5),
    }
    model, checkpoint = sink.artifacts_folder / "model", sink.artifacts_folder / "checkpoint-5"
    for folder in (model, checkpoint):
        assert_clean(folder, tiny_base, tmp_path)
    assert (model / "model.safetensors").read_bytes() == (checkpoint / "model.safetensors").read_bytes()
    loaded = AutoModelForCausalLM.from_pretrained(model)
    assert loaded.config.use_cache is True
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


@pytest.mark.parametrize("method", ["FULL", "LORA"])
def test_what_bf16_saves(make_job: MakeJob, method: str) -> None:
    sink = make_job("TEXT", {"model": {"precision": "MODEL_PRECISION_BF16"}}, method=method).run()
    name, dtype = ("model/model", "BF16") if method == "FULL" else ("adapter/adapter_model", "F32")
    with safe_open(sink.artifacts_folder / f"{name}.safetensors", "pt") as weights:
        dtypes = {weights.get_slice(key).get_dtype() for key in weights.keys()}  # noqa: SIM118 (not a mapping)
        assert "lm_head.weight" not in weights.keys()  # noqa: SIM118
    assert dtypes == {dtype}
    if method == "FULL":
        assert json.loads((sink.artifacts_folder / "model" / "config.json").read_text())["dtype"] == "bfloat16"
        AutoModelForCausalLM.from_pretrained(sink.artifacts_folder / "model")


def test_checkpoints_are_spread_and_load(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    sink = make_job("ALPACA", {"schedule": {"checkpoints": 3, "max_steps": 7}}).run()
    assert {name: step for name, (_, step) in sink.sets.items()} == {
        "checkpoint-3": 3,
        "checkpoint-3-state": 3,
        "checkpoint-5": 5,
        "checkpoint-5-state": 5,
        "checkpoint-7": 7,
        "adapter": 7,
    }
    assert_clean(sink.artifacts_folder / "checkpoint-3", tiny_base, tmp_path)
    assert "saved at step 3 of 7" in (sink.artifacts_folder / "checkpoint-3" / "README.md").read_text()
    weights = [
        (sink.artifacts_folder / name / "adapter_model.safetensors").read_bytes() for name in sink.sets if "state" not in name
    ]
    assert len(set(weights)) == 3  # the last checkpoint and the result are the same weights
