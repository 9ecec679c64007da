"""Tunesmith's LoRA recipe as a person writes it with trl alone: equal flags, seed and threads, no service and no events.

Prints one marked line of JSON: when training began, when each step had ended and when the adapter was saved, in seconds since
the epoch, and the losses. Imports nothing of Tunesmith.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Ray's command line prints lines of its own.
MARK = "TOLD "


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", required=True)
    for name in ("steps", "rank", "alpha", "batch-size", "sequence-length", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = train(arguments, Path(folder))
    sys.stdout.write(f"{MARK}{json.dumps(told)}\n")


def train(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    told: dict[str, Any] = {"imported": time.time(), "steps": [], "losses": []}

    class Clock(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            told["began"] = time.time()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if logs and "loss" in logs:
                told["steps"].append(time.time())
                told["losses"].append(logs["loss"])

    rows = [json.loads(line) for line in Path(arguments.rows).read_text(encoding="utf-8").splitlines()]
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        peft_config=LoraConfig(
            r=arguments.rank, lora_alpha=arguments.alpha, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        args=SFTConfig(
            output_dir=str(folder),
            max_steps=arguments.steps,
            per_device_train_batch_size=arguments.batch_size,
            max_length=arguments.sequence_length,
            learning_rate=arguments.learning_rate,
            lr_scheduler_type="cosine",
            weight_decay=0.0,
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            bf16=False,
            activation_checkpointing=False,
            use_cpu=not torch.cuda.is_available(),
            seed=arguments.seed,
            logging_steps=1,
            logging_nan_inf_filter=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        callbacks=[Clock()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    trainer.save_model(str(folder / "adapter"))
    tokenizer.save_pretrained(folder / "adapter")
    return told | {"saved": time.time()}


if __name__ == "__main__":
    main()
