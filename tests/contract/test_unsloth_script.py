"""What Unsloth gets is what its loader takes, and the script that it is run with runs."""

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2

from services.chassis.knobs import resolved, walk
from tests.conftest import FOREIGN_ENGINE
from workers.providers.provider import REFUSED
from workers.providers.script import ScriptedJob
from workers.providers.unsloth.provider import FORMATS, RULES, UNSLOTH, refuse_dataset
from workers.providers.unsloth.script import unsloth_script
from workers.providers.unsloth.translation import VERSION, translate

GOLDEN = json.loads((Path(__file__).parents[1] / "golden_engines" / "unsloth.json").read_text())
# A Python that has Unsloth; with a model's folder and a file of Alpaca rows to try it on.
PYTHON_VARIABLE, MODEL_VARIABLE, ROWS_VARIABLE = (f"TUNESMITH_TEST_UNSLOTH_{name}" for name in ("PYTHON", "MODEL", "ROWS"))
# peft's own, which get_peft_model passes on.
PASSED_ON = {"use_dora"}

LORA = {"type": "TRAINING_METHOD_LORA", "lora_config": {"use_dora": True, "trainable_modules": "q_proj"}}
CASES: dict[str, dict[str, Any]] = {
    "LoRA": {"method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 4}}},
    "DoRA in float32": {"method": LORA, "model": {"precision": "MODEL_PRECISION_FP32"}},
    "QLoRA": {"method": LORA | {"type": "TRAINING_METHOD_QLORA"}, "model": {"precision": "MODEL_PRECISION_INT4"}},
    "8 bits": {"method": LORA, "model": {"precision": "MODEL_PRECISION_INT8"}},
    "full": {"method": {"type": "TRAINING_METHOD_FULL"}, "model": {"precision": "MODEL_PRECISION_BF16"}},
    "all on": {"optimizations": {"enabled": list(range(1, 10))}},
    "evaluated": {"datasets": {"validation_file_id": "held-out"}, "schedule": {"evaluations": 3}},
}


def _configuration(over: dict[str, Any]) -> JobConfiguration:
    base: dict[str, Any] = {
        "model": {"base_model": "me/tiny"},
        "datasets": {"training_file_id": "rows"},
        "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}},
        "schedule": {"max_steps": 3, "batch_size": 2, "sequence_length": 512},
    }
    merged = base | {key: (base.get(key, {}) | value if key != "method" else value) for key, value in over.items()}
    return resolved(ParseDict(merged, JobConfiguration()))


def _script(case: str, dataset_format: dataset_pb2.DatasetFormat) -> str:
    dataset = dataset_pb2.Dataset(format=dataset_format)
    configuration = _configuration(CASES[case])
    validation = dataset if configuration.datasets.HasField("validation_file_id") else None
    job = ScriptedJob("id", '"""', "unsloth", configuration, base_model_pb2.BaseModel(), dataset, validation)
    return unsloth_script(job).content


@pytest.mark.parametrize("case", CASES)
def test_the_loader_gets_what_it_takes(case: str) -> None:
    configuration = _configuration(CASES[case])
    assert not [field for field in UNSLOTH.lower(configuration) if field.action == REFUSED]
    payload = json.loads(json.dumps(translate(configuration)))
    assert set(payload["loader"]) <= set(GOLDEN["from_pretrained"])
    assert set(payload["adapter"] or {}) - PASSED_ON <= set(GOLDEN["get_peft_model"])
    assert payload["loader"]["use_exact_model_name"]
    for dataset_format in FORMATS:
        ast.parse(_script(case, dataset_format))


def test_every_leaf_has_a_rule() -> None:
    assert sorted(RULES) == sorted(knob.path for knob in walk(JobConfiguration.DESCRIPTOR))
    assert len(FORMATS) == 5
    assert GOLDEN["unsloth"] == VERSION


@pytest.mark.parametrize("case", ["LoRA", "full"])
def test_unsloth_runs_its_script(case: str, tmp_path: Path) -> None:
    python, model, rows = (os.environ.get(name) for name in (PYTHON_VARIABLE, MODEL_VARIABLE, ROWS_VARIABLE))
    if python is None or model is None or rows is None:
        pytest.skip(f"{FOREIGN_ENGINE}{PYTHON_VARIABLE}, {MODEL_VARIABLE} and {ROWS_VARIABLE} name no Python that has Unsloth")
    (tmp_path / "train.py").write_text(_script(case, dataset_pb2.DATASET_FORMAT_ALPACA))
    command = [python, "train.py", rows, "--base-model", model]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "UNSLOTH_DISABLE_STATISTICS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    state = json.loads((tmp_path / "output" / "trainer_state.json").read_text())
    assert len([entry for entry in state["log_history"] if "loss" in entry]) == 3
    weights = "adapter_model" if case == "LoRA" else "model"
    assert (tmp_path / "output" / f"{weights}.safetensors").stat().st_size > 1000


def test_pictures_are_refused_with_what_to_do() -> None:
    for name in ("IMAGE_CAPTION", "IMAGE_LABEL", "PREFERENCE"):
        dataset_format = dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{name}")
        (told,) = refuse_dataset(dataset_format, None)
        assert told.action == REFUSED
        assert "upload" in told.detail or "use " in told.detail
