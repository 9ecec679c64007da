"""With equal arguments and seed, a script that calls trl and peft itself gets the same losses, whatever it is that moves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from peft import LoraConfig, PeftConfig, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from trl import SFTConfig, SFTTrainer

from .conftest import ROWS, Job

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
SOFT: dict[str, Any] = {"num_virtual_tokens": 4, "task_type": "CAUSAL_LM"}
FOUR_BITS = BitsAndBytesConfig(
    load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype="bfloat16"
)
INT4 = {"model": {"precision": "MODEL_PRECISION_INT4"}}


def prompt(**settings: Any) -> dict[str, Any]:
    return {"method": {"prompt_tuning_config": {"num_virtual_tokens": 4, **settings}}}


# What a job says, and what a script gives peft and `from_pretrained` for it.
CASES: dict[str, tuple[str, dict[str, Any], PeftConfig, dict[str, Any]]] = {
    "QLoRA with DoRA": (
        "QLORA",
        INT4 | {"method": {"lora_config": {"rank": 4, "alpha": 8, "use_dora": True}}},
        LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", use_dora=True, task_type="CAUSAL_LM"),
        {"dtype": "bfloat16", "quantization_config": FOUR_BITS},
    ),
    "prompt tuning": (
        "PROMPT_TUNING",
        prompt(),
        PromptTuningConfig(prompt_tuning_init="SAMPLE_VOCAB", **SOFT),
        {"dtype": "float32"},
    ),
    "prefix tuning": (
        "PREFIX_TUNING",
        prompt(encoder_hidden_size=16),
        PrefixTuningConfig(prefix_projection=True, encoder_hidden_size=16, **SOFT),
        {"dtype": "float32"},
    ),
    "P-tuning": ("P_TUNING", prompt(), PromptEncoderConfig(**SOFT), {"dtype": "float32"}),
}


def plain_losses(base: Path, peft_config: PeftConfig, loading: dict[str, Any], folder: Path) -> list[float]:
    arguments = SFTConfig(
        output_dir=str(folder),
        use_cpu=True,
        max_steps=5,
        per_device_train_batch_size=2,
        max_length=508,
        learning_rate=1e-3,
        lr_scheduler_type="cosine",
        bf16=loading["dtype"] == "bfloat16",
        seed=7,
        activation_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base, **loading),
        args=arguments,
        train_dataset=Dataset.from_list(ROWS["TEXT"][:8]),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=peft_config,
    )
    trainer.train()
    return [told["loss"] for told in trainer.state.log_history if "loss" in told]


def test_the_cases_are_these() -> None:
    assert len(CASES) == 4


@pytest.mark.parametrize("case", list(CASES))
def test_losses_are_those_of_a_plain_script(case: str, make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    method, settings, peft_config, loading = CASES[case]
    losses = make_job("TEXT", settings, method=method).run().losses()
    assert len(set(losses)) == 5
    assert losses == plain_losses(tiny_base, peft_config, loading, tmp_path / "plain")
