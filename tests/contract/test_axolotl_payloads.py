"""Whatever a configuration asks for, what Axolotl gets is what its own schema takes."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2

from services.chassis.knobs import resolved, walk
from tests.conftest import FOREIGN_ENGINE
from workers.providers.axolotl.provider import AXOLOTL
from workers.providers.axolotl.script import axolotl_script
from workers.providers.axolotl.translation import VERSION, translate
from workers.providers.provider import REFUSED
from workers.providers.script import ScriptedJob

GOLDEN = json.loads((Path(__file__).parents[1] / "golden_engines" / "axolotl.json").read_text())
SCHEMA = Path(__file__).with_name("axolotl_schema.py")
# A Python that has Axolotl, where the one that runs the tests hasn't.
PYTHON_VARIABLE = "TUNESMITH_TEST_AXOLOTL_PYTHON"

TEXT, ALPACA, PREFERENCE = "TEXT", "ALPACA", "PREFERENCE"
LORA = {"type": "TRAINING_METHOD_LORA", "lora_config": {}}
FULL = {"type": "TRAINING_METHOD_FULL"}
DPO = LORA | {"objective": "TRAINING_OBJECTIVE_DPO"}
EVALUATED = {"validation_file_id": "held-out"}


def _precision(name: str, **more: Any) -> dict[str, Any]:
    return {"model": {"precision": f"MODEL_PRECISION_{name}", **more}}


def _enabled(*names: str) -> dict[str, Any]:
    return {"optimizations": {"enabled": [f"OPTIMIZATION_FEATURE_{name}" for name in names]}}


def _curve(name: str, **more: Any) -> dict[str, Any]:
    return {"optimizer": {"scheduler": {"type": f"LR_SCHEDULER_TYPE_{name}", **more}}}


def _strategy(name: str) -> dict[str, Any]:
    return {"hardware": {"strategy": f"DISTRIBUTION_STRATEGY_{name}"}}


def _pairs(**preference: Any) -> dict[str, Any]:
    return {"method": DPO | {"preference_config": preference}}


QLORA = {"method": LORA | {"type": "TRAINING_METHOD_QLORA"}}
# What is set, and the rows that it is trained on.
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "LoRA": ({}, ALPACA),
    "DoRA and rsLoRA": ({"method": LORA | {"lora_config": {"use_dora": True, "use_rslora": True, "dropout": 0.1}}}, ALPACA),
    "modules": ({"method": LORA | {"lora_config": {"trainable_modules": "q_proj, v_proj"}}}, ALPACA),
    "full, FP32": ({"method": FULL, **_precision("FP32")}, TEXT),
    "full, BF16": ({"method": FULL, **_precision("BF16", master_weights=True)}, TEXT),
    "FP16": (_precision("FP16", master_weights=False), TEXT),
    "FP8": (_precision("FP8"), TEXT),
    "QLoRA of 4 bits": ({**QLORA, **_precision("INT4", double_quantization=False)}, ALPACA),
    "QLoRA of 8 bits": ({**QLORA, **_precision("INT8")}, ALPACA),
    "QLoRA, unsaid": ({**QLORA, **_precision("BF16")}, ALPACA),
    "LoRA over 4 bits": (_precision("INT4"), ALPACA),
    "messages": ({}, "MESSAGES"),
    "ShareGPT, all of it": ({"schedule": {"train_on_inputs": "TRAIN_ON_INPUTS_ENABLED"}}, "SHAREGPT"),
    "prompt and completion": ({}, "PROMPT_COMPLETION"),
    "pre-training": ({"method": FULL | {"objective": "TRAINING_OBJECTIVE_CONTINUED_PRETRAINING"}}, TEXT),
    "DPO": ({"method": DPO}, PREFERENCE),
    "DPO, IPO": (_pairs(loss="PREFERENCE_LOSS_IPO", beta=0.5), PREFERENCE),
    "DPO, robust": (_pairs(loss="PREFERENCE_LOSS_ROBUST", label_smoothing=0.2), PREFERENCE),
    "DPO with likelihood": (
        _pairs(sft_weight=0.5) | _enabled("SEQUENCE_PACKING", "FUSED_KERNELS", "GRADIENT_CHECKPOINTING"),
        PREFERENCE,
    ),
    "steps": ({"schedule": {"max_steps": 7, "checkpoints": 3, "seed": 1}}, ALPACA),
    "evaluated once": ({"datasets": EVALUATED}, ALPACA),
    "evaluated and saved": ({"datasets": EVALUATED, "schedule": {"evaluations": 4, "checkpoints": 4}}, ALPACA),
    "the best": (
        {"datasets": EVALUATED, "schedule": {"evaluations": 5, "keep_best": True, "early_stopping_patience": 2}},
        ALPACA,
    ),
    "packing": (_enabled("SEQUENCE_PACKING"), ALPACA),
    "packing and flash attention": (_enabled("SEQUENCE_PACKING", "FLASH_ATTENTION"), ALPACA),
    "grouping": (_enabled("LENGTH_GROUPING", "DYNAMIC_PADDING", "GRADIENT_CHECKPOINTING"), ALPACA),
    "offloading": (_enabled("ACTIVATION_OFFLOADING", "OPTIMIZER_8BIT"), ALPACA),
    "kernels": (_enabled("FUSED_KERNELS", "PAGED_OPTIMIZER", "OPTIMIZER_8BIT"), ALPACA),
    "paged": (_enabled("PAGED_OPTIMIZER"), ALPACA),
    "constant": (_curve("CONSTANT"), ALPACA),
    "constant with warm-up": (_curve("CONSTANT_WITH_WARMUP", warmup_ratio=0.1), ALPACA),
    "cosine with a minimum": (_curve("COSINE", min_lr_ratio=0.1, cycles=1.0, warmup_ratio=1.0), ALPACA),
    "linear": (_curve("LINEAR"), ALPACA),
    "polynomial": (_curve("POLYNOMIAL", min_lr_ratio=0.2), ALPACA),
    "DDP": (_strategy("DDP"), ALPACA),
    "FSDP": (_strategy("FSDP"), ALPACA),
    "ZeRO 1": (_strategy("ZERO_1"), ALPACA),
    "ZeRO 3": (_strategy("ZERO_3"), ALPACA),
    "trackers": (
        {
            "integrations": {
                "wandb": {"project": "p", "run_name": "", "credential_id": "WANDB_API_KEY", "base_url": "https://w.example"},
                "mlflow": {"experiment": "e", "tracking_uri": "http://m.example", "run_name": "r"},
                "trackio": {"project": "t", "space_id": "me/space"},
            }
        },
        ALPACA,
    ),
}


def _configuration(over: dict[str, Any]) -> JobConfiguration:
    base: dict[str, Any] = {
        "model": {"base_model": "me/tiny"},
        "datasets": {"training_file_id": "rows"},
        "method": LORA,
    }
    merged = base | {key: ({**base[key], **value} if key in ("model", "datasets") else value) for key, value in over.items()}
    return resolved(ParseDict(merged, JobConfiguration()))


def _dataset(format_name: str) -> dataset_pb2.Dataset:
    names = ("prompt", "chosen", "rejected") if format_name == PREFERENCE else ()
    columns = [dataset_pb2.DatasetColumn(name=name, type=dataset_pb2.COLUMN_TYPE_STRING) for name in names]
    return dataset_pb2.Dataset(format=dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{format_name}"), columns=columns)


def _payload(case: str) -> dict[str, Any]:
    over, format_name = CASES[case]
    return translate(_configuration(over), _dataset(format_name), _dataset(format_name))


@pytest.mark.parametrize("case", CASES)
def test_a_payload_has_names_and_values_of_the_schema(case: str) -> None:
    over, _ = CASES[case]
    assert not [field for field in AXOLOTL.lower(_configuration(over)) if field.action == REFUSED]
    payload = _payload(case)
    assert _problems(payload, GOLDEN["fields"]) == []
    assert json.loads(json.dumps(payload)) == payload


def test_the_cases_set_every_field_that_is_sent() -> None:
    assert len(CASES) == 39
    sent = {field.field_path.partition("[")[0] for case in CASES for field in AXOLOTL.lower(_configuration(CASES[case][0]))}
    never = {limitation.field_path for limitation in AXOLOTL.capabilities.limitations if not limitation.value}
    assert {knob.path for knob in walk(JobConfiguration.DESCRIPTOR)} - never - sent == {
        "datasets.strategy",
        "integrations.mlflow.credential_id",
        "integrations.trackio.run_name",
    }


def test_the_check_finds_what_is_wrong() -> None:
    wrong = {"lora_rank": 8, "bf16": "yes", "datasets": [{"path": "a", "kind": "b"}], "fsdp_config": {"wrap": 1}, "seed": "x"}
    found = _problems(wrong, GOLDEN["fields"])
    assert [problem.partition(":")[0] for problem in found] == [
        "lora_rank",
        "bf16",
        "datasets[0].kind",
        "fsdp_config.wrap",
        "seed",
    ]


def test_the_frozen_schema_is_of_the_version_that_is_translated_for() -> None:
    assert GOLDEN["axolotl"] == VERSION
    assert len(GOLDEN["fields"]) == 404


def test_the_script_of_a_job_is_its_payload_with_the_model_s_hub_name() -> None:
    over, format_name = CASES["the best"]
    hostile = "p: 'x'\n# - { \x1b"
    base_model = base_model_pb2.BaseModel(hub_repo="me/tiny", revision="abc")
    job = ScriptedJob("id", hostile, "axolotl", _configuration(over), base_model, _dataset(format_name), _dataset(format_name))
    script = axolotl_script(job)
    assert yaml.safe_load(script.content) == _payload("the best") | {"revision_of_model": "abc"}
    assert _problems(yaml.safe_load(script.content), GOLDEN["fields"]) == []
    assert script.file_name == "axolotl.yaml"
    assert script.differences == ()


def test_axolotl_s_own_schema_takes_every_payload() -> None:
    python = sys.executable if importlib.util.find_spec("axolotl") else os.environ.get(PYTHON_VARIABLE)
    if python is None:
        pytest.skip(f"{FOREIGN_ENGINE}Axolotl is not installed here, and {PYTHON_VARIABLE} names no Python that has it")
    payloads = json.dumps({case: _payload(case) for case in CASES} | {"wrong": _payload("LoRA") | {"rl": "poker"}})
    command = [python, SCHEMA, "--validate"]
    done = subprocess.run(command, input=payloads, capture_output=True, text=True, check=False, cwd=SCHEMA.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    assert len(said) == len(CASES) + 1
    assert "poker" in said.pop("wrong")
    assert {case: text for case, text in said.items() if text} == {}


def _problems(values: dict[str, Any], allowed: dict[str, Any], prefix: str = "") -> list[str]:
    """What a schema would not take, by path."""
    found = []
    for name, value in values.items():
        path = f"{prefix}{name}"
        if name not in allowed:
            found.append(f"{path}: no such field")
            continue
        taken = allowed[name]
        if _kind(value) not in taken.get("types", ()) and not (_kind(value) == "integer" and "number" in taken["types"]):
            found.append(f"{path}: takes no {_kind(value)}")
        elif isinstance(value, str) and taken.get("values") and value not in taken["values"]:
            found.append(f"{path}: takes no {value!r}")
        elif isinstance(value, dict) and taken.get("keys"):
            found += _problems(value, taken["keys"], f"{path}.")
        elif isinstance(value, list) and taken.get("items"):
            for index, item in enumerate(value):
                kinds = [_problems(item, keys, f"{path}[{index}].") for keys in taken["items"].values()]
                found += min(kinds, key=len)
    return found


def _kind(value: Any) -> str:
    names: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]
