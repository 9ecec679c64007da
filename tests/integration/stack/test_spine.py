"""A fine-tune goes in through the gateway, trains on Ray, and comes out as an adapter: by the command line, as a person would."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import FOREIGN_DATA
from tests.integration.whole_stack import ROOT, Stack

pytestmark = pytest.mark.integration

ALPACA = ROOT.parent / "shared" / "data" / "chat" / "alpaca_en_demo.json"
STEPS = 6
# No .pth file is read with -S, so nothing that is installed from this checkout can be imported: only the libraries.
LOAD_WITHOUT_TUNESMITH = """
import importlib.util, sys
sys.path.append(sys.argv[1])
assert importlib.util.find_spec("tunesmith") is None and importlib.util.find_spec("workers") is None
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
base, adapter = sys.argv[2:]
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
tokens = AutoTokenizer.from_pretrained(adapter)("Describe a process of making crepes.", return_tensors="pt")
assert all(weight.abs().sum() > 0 for name, weight in model.named_parameters() if "lora_B" in name)
print(model.generate(**tokens, max_new_tokens=4).shape[1] - tokens["input_ids"].shape[1])
"""


def run(stack: Stack, *arguments: str) -> Any:
    """What a command answers, as JSON."""
    command = [str(Path(sys.executable).parent / "tunesmith"), *arguments, "-o", "json"]
    environment = os.environ | {"TUNESMITH_PORT": str(stack.port)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()] if "watch" in arguments else json.loads(done.stdout)


def configuration(base_model: str, dataset: str, method: dict[str, Any]) -> str:
    return yaml.safe_dump(
        {
            "model": {"base_model": base_model, "precision": "MODEL_PRECISION_FP32"},
            "datasets": {"training_file_id": dataset},
            "method": method,
            "schedule": {"max_steps": STEPS, "batch_size": 4, "sequence_length": 512},
            "optimizer": {"learning_rate": 0.001},
            "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]},
        }
    )


def train(stack: Stack, folder: Path, job: str) -> str:
    """Create a job, watch it to its end; answers its id."""
    file = folder / "job.yaml"
    file.write_text(job)
    job_id = run(stack, "jobs", "create", "-f", str(file))["job"]["id"]
    messages = run(stack, "jobs", "watch", job_id)
    assert messages[-1]["job"]["state"] == "JOB_STATE_SUCCEEDED", messages[-1]["job"].get("error")
    sequences = [int(event["sequence"]) for message in messages for event in message.get("events", ())]
    assert sequences == list(range(1, len(sequences) + 1))
    return job_id


def test_a_file_nobody_here_wrote_becomes_an_adapter_that_loads_with_plain_peft(stack: Stack, tmp_path: Path) -> None:
    if not ALPACA.exists():
        pytest.skip(f"{FOREIGN_DATA}{ALPACA.name} is not beside this checkout")
    dataset = run(stack, "datasets", "upload", str(ALPACA))["dataset"]
    assert (dataset["format"], dataset["row_count"]) == ("DATASET_FORMAT_ALPACA", "999")

    base = train(stack, tmp_path, configuration("tunesmith/pico", dataset["id"], {"type": "TRAINING_METHOD_FULL"}))
    run(stack, "jobs", "download", base, "--to", str(tmp_path / "base"))
    (weights,) = [
        artifact
        for artifact in stack.get(f"/v1/jobs/{base}/artifacts")[1]["artifacts"]
        if artifact["path"] == "model/model.safetensors"
    ]

    lora = {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 4}}
    tuned = train(stack, tmp_path, configuration(f"artifact:{weights['id']}", dataset["id"], lora))
    run(stack, "jobs", "download", tuned, "--to", str(tmp_path / "tuned"))

    (series,) = stack.get(f"/v1/jobs/{tuned}/metrics?key=train_loss")[1]["series"]
    assert [int(point["step"]) for point in series["points"]] == list(range(1, STEPS + 1))
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", LOAD_WITHOUT_TUNESMITH, sysconfig.get_path("purelib"), *_models(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert loaded.returncode == 0, loaded.stderr
    assert 1 <= int(loaded.stdout) <= 4


def _models(folder: Path) -> list[str]:
    return [str(folder / "base" / "model"), str(folder / "tuned" / "adapter")]
