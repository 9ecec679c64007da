"""Whatever is wrong with a configuration: applying the fixes leaves nothing that could still be fixed."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from tunesmith import apply_fixes
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, SEVERITY_NOTE, SEVERITY_WARNING, Severity
from tunesmith.preflight.v1.report_pb2 import Report

from services.preflight import checks
from tests.unit.services.preflight.known import BASE, CPU_POOL, GPT_2, GPU_POOL, LLAMA_2_7B, PICO, changed, dataset, report

SEED = 20261121
CASES = 600
# Of two fixes of one field the first counts, and a number that was put into its range may still lie outside of what is
# recommended. More rounds than these would look like a program that can't make up its mind.
MOST_ROUNDS = {SEVERITY_ERROR: 3, SEVERITY_WARNING: 3, SEVERITY_NOTE: 4}
# What only a person can put right: other rows, another model, a download, time.
FOR_PEOPLE = {
    "DATASET_FORMAT_NOT_SUPPORTED",
    "FEW_ROWS",
    "MODEL_NOT_CACHED",
    "NO_CHAT_TEMPLATE",
    "OUT_OF_MEMORY",
    "MEMORY_TIGHT",
    "REQUIRED_FIELD",
    # Messages on a model without a template: neither strategy works.
    "STRATEGY_MISMATCH",
}
MODELS = (PICO, GPT_2, LLAMA_2_7B, changed(PICO, quantized=True), changed(LLAMA_2_7B, cache_status="CACHE_STATUS_CACHED"))
DATASETS = (dataset(), dataset("TEXT"), dataset("MESSAGES"), dataset("PREFERENCE"), dataset(row_count=5))
METHODS = ("FULL", "LORA", "QLORA", "PROMPT_TUNING")
MISTAKES: dict[str, tuple[Any, ...]] = {
    "model.precision": tuple(f"MODEL_PRECISION_{name}" for name in ("FP32", "FP16", "BF16", "FP8", "INT8", "INT4")),
    "model.double_quantization": (True, False),
    "model.master_weights": (True, False),
    "model.base_model": ("",),
    "datasets.strategy": ("DATASET_STRATEGY_CHAT", "DATASET_STRATEGY_STANDARD", 7),
    "datasets.validation_file_id": ("rows", "held-out"),
    "method.type": (*(f"TRAINING_METHOD_{name}" for name in METHODS), 9),
    "method.objective": ("TRAINING_OBJECTIVE_DPO", 5),
    "method.lora_config": ({}, {"rank": 0}, {"rank": 999, "alpha": 4}, {"rank": 3}, {"alpha": 500, "dropout": 0.7}),
    "method.lora_config.trainable_modules": ("q_proj,c_attn", "all-linear", "a b", "lm_head,q_proj", "lm_head"),
    "method.prompt_tuning_config": ({}, {"num_virtual_tokens": 9000}),
    "schedule.epochs": (-1, 0, 15, 50),
    "schedule.batch_size": (0, 16, 64, 100),
    "schedule.sequence_length": (1, 8192, 33000, 99999),
    "schedule.gradient_accumulation": (0, 12, 99),
    "schedule.max_steps": (0, 10),
    "optimizer.learning_rate": (0, -1, 5, 0.3, 1e-7, "NaN", "Infinity"),
    "optimizer.scheduler": ({"type": "LR_SCHEDULER_TYPE_LINEAR", "cycles": 1}, {"type": 99}, {"warmup_ratio": 3}),
    "optimizer.weight_decay": (2, 0.5),
    "optimizations.enabled": ([99, 1], [1, 1, 7], [1, 2, 3, 4, 5, 6, 7, 8], [5, 5]),
    "hardware.gpu_type": ("A100", "RTX 4099", "no such thing"),
    "hardware.num_gpus": (-3, 4),
    "hardware.strategy": ("DISTRIBUTION_STRATEGY_FSDP", 77),
    "integrations.wandb": ({"project": "p"}, {}, {"project": "p", "base_url": "no address"}),
    "metadata": ({"together": {"n": 1}},),
    "output.suffix": ("not a name!",),
}


def mistaken(chance: random.Random) -> JobConfiguration:
    """A configuration with up to five things changed for the worse, or not."""
    made = MessageToDict(ParseDict(BASE, JobConfiguration()), preserving_proto_field_name=True)
    for path in chance.sample(sorted(MISTAKES), chance.randint(1, 5)):
        *parents, leaf = path.split(".")
        node = made
        for name in parents:
            node = node.setdefault(name, {})
        node[leaf] = chance.choice(MISTAKES[path])
    return ParseDict(made, JobConfiguration())


def fixable(found: Report, least: Severity) -> list[str]:
    """Codes of findings that a program can do something about."""
    return [one.code for one in found.findings if one.severity >= least and one.HasField("fix")]


def test_all_fixes_and_another_check_leave_nothing_to_fix() -> None:
    chance = random.Random(SEED)
    # Rounds after which no such finding has a fix.
    clean: dict[Severity, Counter[int]] = {severity: Counter() for severity in MOST_ROUNDS}
    seen: Counter[str] = Counter()
    for _ in range(CASES):
        made = first = mistaken(chance)
        known = {
            "model": chance.choice(MODELS),
            "training_dataset": chance.choice(DATASETS),
            "pools": chance.choice(([CPU_POOL], [GPU_POOL], [])),
        }
        rounds = {}
        for done in range(max(MOST_ROUNDS.values()) + 1):
            found = report(made, **known)
            seen.update(fixable(found, SEVERITY_NOTE) if done == 0 else ())
            for severity in MOST_ROUNDS:
                if not fixable(found, severity):
                    rounds.setdefault(severity, done)
            made = apply_fixes(made, found.findings)
        for severity, most in MOST_ROUNDS.items():
            assert rounds.get(severity, most + 1) <= most, (MessageToDict(first), fixable(found, severity))
            clean[severity][rounds[severity]] += 1
        left = {one.code for one in found.findings if one.severity != SEVERITY_NOTE}
        assert left <= FOR_PEOPLE, MessageToDict(first)
        assert found.ok == (not any(one.severity == SEVERITY_ERROR for one in found.findings))
    assert len(seen) >= 25, sorted(seen)
    # One round puts nearly every error right.
    errors = clean[SEVERITY_ERROR]
    assert errors[0] + errors[1] >= CASES * 0.95, errors


def test_the_list_of_checks_is_complete() -> None:
    files = {path.stem for path in Path(checks.__file__).parent.glob("*.py")} - {"__init__", "memory"}
    assert {check.__module__.rpartition(".")[2] for check in checks.CHECKS} == files
    assert len(checks.CHECKS) == 29
