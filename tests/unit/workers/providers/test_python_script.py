"""Scripts of jobs: what they hold, and what they never hold."""

import ast
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2

from workers.providers.local.script.code import Code, call, literal
from workers.providers.local.script.rows import CONVERSIONS, reading
from workers.providers.local.script.script import VERSIONS, python_script
from workers.providers.script import Script, ScriptedJob
from workers.training.rows import CONVERTERS

from .conftest import Submit

ROOT = Path(__file__).parents[4]
TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
SAID = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]
CALL = {"from": "function_call", "value": '{"name": "f", "arguments": {}}'}
TOOLS = [{"type": "function", "function": {"name": "f"}}]

ROWS: dict[str, list[dict[str, Any]]] = {
    "TEXT": [{"text": "a", "other": 1}],
    "PROMPT_COMPLETION": [
        {"prompt": "a", "completion": "b"},
        {"prompt": TURNS[:1], "completion": TURNS[1:], "tools": json.dumps(TOOLS)},
    ],
    "ALPACA": [
        {"instruction": "a", "output": "b"},
        {"instruction": "a", "output": "b", "input": ""},
        {"instruction": "a", "output": "b", "input": "c", "system": "Be brief."},
        {"instruction": "a", "output": "b", "input": "c", "system": None},
    ],
    "MESSAGES": [{"messages": TURNS}, {"messages": TURNS, "tools": TOOLS}, {"messages": TURNS, "tools": ""}],
    "SHAREGPT": [
        {"conversations": SAID},
        {"conversations": SAID, "system": "Be brief."},
        {"conversations": [{"from": "system", "value": "s"}, *SAID, CALL], "system": "Be brief.", "tools": TOOLS},
    ],
    "PREFERENCE": [
        {"prompt": "Hi", "chosen": "Ho", "rejected": "Hum"},
        {"chosen": "Hi Ho", "rejected": "Hi Hum"},
        {"chosen": "same", "rejected": "same"},
        {"prompt": TURNS[:1], "chosen": "Ho", "rejected": "Hum"},
        {"prompt": "Hi", "chosen": TURNS, "rejected": [TURNS[0], {"role": "assistant", "content": "Hum"}]},
        {"prompt": "Hey", "chosen": TURNS[1:], "rejected": [{"role": "assistant", "content": "Hum"}]},
        {"chosen": TURNS, "rejected": [TURNS[0], {"role": "assistant", "content": "Hum"}], "tools": TOOLS},
        {"conversations": SAID[:1], "chosen": SAID[1], "rejected": {"from": "gpt", "value": "Hum"}, "system": "Be brief."},
    ],
}


def _value(format_name: str) -> dataset_pb2.DatasetFormat:
    return dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{format_name}")


@pytest.fixture
def write(submit: Submit) -> Any:
    """The script of a job with settings over a small one."""

    def script(over: dict[str, Any], format_name: str = "ALPACA", name: str = "first", **base: Any) -> Script:
        dataset = dataset_pb2.Dataset(format=_value(format_name), filename="rows.jsonl")
        base_model = base_model_pb2.BaseModel(**({"hub_repo": "me/tiny", "revision": "abc"} | base))
        return python_script(ScriptedJob("0192", name, "local", submit(over)[1], base_model, dataset, dataset))

    return script


@pytest.mark.parametrize("format_name", ROWS)
def test_rows_become_what_the_worker_makes_of_them(format_name: str) -> None:
    defined: dict[str, Any] = {}
    for part in reading(_value(format_name), answers_only=False)[:-1]:
        exec("import json\n" + part, defined)
    for row in ROWS[format_name]:
        assert defined["convert"](row) == CONVERTERS[_value(format_name)](row), row


def test_there_are_rows_of_every_format_that_is_read() -> None:
    assert {_value(name) for name in ROWS} == set(CONVERSIONS)
    assert len(ROWS) == 6


METHODS = {
    "LORA": {"lora_config": {"trainable_modules": "q_proj, v_proj"}},
    "QLORA": {"lora_config": {}},
    "FULL": {"lora_config": None},
    "PROMPT_TUNING": {"lora_config": None, "prompt_tuning_config": {"initial_text": 'a "b"\n\\'}},
}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"datasets": {"validation_file_id": "held-out"}, "schedule": {"evaluations": 3, "checkpoints": 2}},
    {"optimizations": {"enabled": ["OPTIMIZATION_FEATURE_SEQUENCE_PACKING", "OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"]}},
    {"optimizations": {"enabled": ["OPTIMIZATION_FEATURE_LENGTH_GROUPING", "OPTIMIZATION_FEATURE_OPTIMIZER_8BIT"]}},
    {"model": {"rope_scaling": {"type": "ROPE_TYPE_DYNAMIC"}}, "integrations": {"wandb": {"project": "p"}}},
]


def test_every_script_is_clean_python(write: Any, tmp_path: Path) -> None:
    written = 0
    for (method, more), settings, format_name in itertools.product(METHODS.items(), SETTINGS, ("TEXT", "SHAREGPT")):
        if method == "PROMPT_TUNING" and "PACKING" in str(settings):
            continue
        script = write({"method": {"type": f"TRAINING_METHOD_{method}", **more}} | settings, format_name)
        (tmp_path / f"train_{written}.py").write_text(script.content, encoding="utf-8")
        ast.parse(script.content)
        written += 1
    assert written == 38
    rules = "E,F,W,B,I,UP"
    check = ["ruff", "check", "--isolated", "--no-cache", "--line-length", "130", "--select", rules, "--ignore", "B905"]
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), *check[1:], tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_name_stays_a_name(write: Any) -> None:
    hostile = '"""\nimport os; os.system("x")\n\\u0022 \x1b[31m \u202e'
    script = write(
        {"integrations": {"wandb": {"project": hostile[:20], "run_name": 'x"); import os #'}}}, name=hostile, revision="a\nb"
    )
    tree = ast.parse(script.content)
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert "os.system" not in calls
    assert "\x1b" not in script.content
    assert "\u202e" not in script.content
    assert "os.environ.setdefault" in calls


def test_an_unnamed_model_has_to_be_named(write: Any) -> None:
    script = write({}, hub_repo="", revision="")
    assert '"--base-model", required=True' in script.content
    assert any("name its folder with --base-model" in each for each in script.differences)
    assert not write({}).differences


def test_what_is_otherwise_is_said(write: Any) -> None:
    over = {
        "datasets": {"validation_file_id": "held-out"},
        "schedule": {"evaluations": 4, "checkpoints": 3, "keep_best": True},
        "integrations": {"huggingface": {"output_repo_name": "me/out"}},
        "hardware": {"num_processes": 2},
        "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_FLASH_ATTENTION", "OPTIMIZATION_FEATURE_FUSED_KERNELS"]},
    }
    told = " ".join(write(over).differences)
    for word in ("1/4", "1/3", "best", "Hub", "--nproc_per_node=2", "flash-attn", "liger-kernel"):
        assert word in told


def test_the_versions_are_those_of_the_lock() -> None:
    lock = dict(re.findall(r"^(\w+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert len(VERSIONS) == 7
    assert {name: lock.get(name) for name in VERSIONS} == VERSIONS


def test_values_are_written_as_python_reads_them() -> None:
    for value in ('a"b\\\n\u2028\x85', "\U0001f600", 1e-05, True, None, [1, "x"], {"a": {"b": 0.5}}):
        assert ast.literal_eval(literal(value)) == value
    assert call("f", {"a": Code("b"), "c": "d"}, 1, "x = ") == '    x = f(a=b, c="d")'
    assert call("f", {"a": "b" * 120}).splitlines() == ["f(", f'    a="{"b" * 120}",', ")"]
