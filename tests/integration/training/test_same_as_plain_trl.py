"""A job trains exactly as a script does that calls trl itself: equal losses at every step, to the last bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import SFTConfig, SFTTrainer

from .conftest import TEXTS, Job

pytestmark = pytest.mark.integration

LORA = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.1, target_modules="all-linear", task_type="CAUSAL_LM")


def plain(base: Path, folder: Path, rows: list[Any], held_out: list[Any], lora: LoraConfig | None, **flags: Any) -> SFTTrainer:
    """What a person without Tunesmith would write."""
    flags = {"lr_scheduler_type": "cosine", "activation_checkpointing": False} | flags
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        args=SFTConfig(
            output_dir=str(folder),
            use_cpu=True,
            bf16=False,
            per_device_train_batch_size=2,
            per_device_eval_batch_size=2,
            max_length=512,
            learning_rate=1e-3,
            seed=7,
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
            eval_strategy="steps",
            eval_on_start=True,
            **flags,
        ),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(held_out),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=lora,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer


def logged(trainer: SFTTrainer, key: str) -> list[float]:
    return [entry[key] for entry in trainer.state.log_history if key in entry]


def alpaca(number: int, text: str) -> dict[str, str]:
    """The instruction prompt, written out."""
    task = "Below is an instruction that describes a task"
    answer = "Write a response that appropriately completes the request.\n\n"
    instruction = f"### Instruction:\nGo on: {text[:8]}\n\n"
    if number % 2:
        context = ", paired with an input that provides further context. "
        prompt = f"{task}{context}{answer}{instruction}### Input:\ncalmly\n\n### Response:\n"
    else:
        prompt = f"{task}. {answer}{instruction}### Response:\n"
    return {"prompt": prompt, "completion": text[8:]}


CHATS = [{"messages": [{"role": "user", "content": text[:9]}, {"role": "assistant", "content": text[9:]}]} for text in TEXTS]

CASES = {
    # Five steps with an evaluation at the end.
    "text, full": (
        "TEXT",
        "FULL",
        {"optimizer": {"weight_decay": 0.1}},
        [{"text": text} for text in TEXTS],
        {"max_steps": 5, "eval_steps": 5, "weight_decay": 0.1},
    ),
    # Two epochs of two steps, each of two batches; a warm-up, and an evaluation after every second step.
    "Alpaca, LoRA": (
        "ALPACA",
        "LORA",
        {
            "schedule": {"max_steps": None, "epochs": 2, "gradient_accumulation": 2, "evaluations": 2},
            "optimizer": {"scheduler": {"warmup_ratio": 0.5}, "max_gradient_norm": 0.2},
        },
        [alpaca(number, text) for number, text in enumerate(TEXTS)],
        {"num_train_epochs": 2, "gradient_accumulation_steps": 2, "eval_steps": 2, "warmup_steps": 0.5, "max_grad_norm": 0.2},
    ),
    "messages, LoRA": (
        "MESSAGES",
        "LORA",
        {"optimizer": {"scheduler": {"min_lr_ratio": 0.1}}},
        CHATS,
        {
            "max_steps": 5,
            "eval_steps": 5,
            "assistant_only_loss": True,
            "lr_scheduler_type": "cosine_with_min_lr",
            "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        },
    ),
    # The prompts count, every batch is padded to 512 tokens, and activations are computed again.
    "ShareGPT, full": (
        "SHAREGPT",
        "FULL",
        {
            "schedule": {"train_on_inputs": "TRAIN_ON_INPUTS_ENABLED", "max_steps": 3},
            "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"]},
        },
        CHATS,
        {"max_steps": 3, "eval_steps": 3, "pad_to_multiple_of": 512, "activation_checkpointing": True},
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_losses_are_bit_equal(case: str, make_job: Callable[..., Job], tiny_base: Path, tmp_path: Path) -> None:
    dataset_format, method, settings, rows, flags = CASES[case]
    if method == "LORA":
        settings = settings | {"method": {"lora_config": {"dropout": 0.1}}}
    sink = make_job(dataset_format, settings, method=method, evaluate=True).run()
    script = plain(tiny_base, tmp_path / "plain", rows[:8], rows[8:], LORA if method == "LORA" else None, **flags)

    assert len(sink.losses()) == script.state.max_steps >= 3
    assert sink.losses() == logged(script, "loss")
    assert [loss for _, loss in sink.evaluations] == logged(script, "eval_loss")
    assert list(sink.points["learning_rate"].values()) == logged(script, "learning_rate")
    assert list(sink.points["gradient_norm"].values()) == logged(script, "grad_norm")
    assert_equal_weights(sink.artifacts_folder, script)


def assert_equal_weights(stored: Path, script: SFTTrainer) -> None:
    """The stored result is what the script ends with."""
    if (stored / "adapter").exists():
        ours = load_file(stored / "adapter" / "adapter_model.safetensors")
        theirs = {name.replace(".default", ""): value for name, value in script.model.state_dict().items() if "lora_" in name}
        assert len(ours) == 2 * 2 * 7  # two factors for each of seven layers in each of two blocks
    else:
        ours = load_file(stored / "model" / "model.safetensors")
        theirs = {name: value for name, value in script.model.state_dict().items() if name != "lm_head.weight"}
        assert len(ours) == 2 * 9 + 2
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
