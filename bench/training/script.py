"""A plain trl script, as a person writes it: LoRA on prompts and completions, one pass. Imports nothing of Tunesmith.

`--equal` sets what our job sets; without it, trl's own defaults stand. Prints one marked line of JSON: seconds of training,
tokens without padding, the last loss, and the most memory above what the imports took.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MARK = "TOLD "
EQUAL: dict[str, Any] = {"bf16": False, "activation_checkpointing": False}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", required=True)
    for name in ("rank", "alpha"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--equal", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = train(arguments, folder)
    sys.stdout.write(f"{MARK}{json.dumps(told)}\n")


def train(arguments: argparse.Namespace, folder: str) -> dict[str, float]:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, PrinterCallback
    from trl import SFTConfig, SFTTrainer

    # The kernel's peak starts anew here, see proc(5).
    Path("/proc/self/clear_refs").write_text("5")
    held_kib = _status("VmRSS")
    trainer = SFTTrainer(
        model=arguments.model,
        processing_class=AutoTokenizer.from_pretrained(arguments.model),
        train_dataset=Dataset.from_list([json.loads(line) for line in Path(arguments.rows).read_text("utf-8").splitlines()]),
        peft_config=LoraConfig(
            r=arguments.rank, lora_alpha=arguments.alpha, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        args=SFTConfig(
            output_dir=folder,
            num_train_epochs=1,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **(EQUAL if arguments.equal else {}),
        ),
    )
    trainer.remove_callback(PrinterCallback)
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    entries = [entry for entry in trainer.state.log_history if "loss" in entry]
    peak = (_status("VmHWM") - held_kib) / 1024
    return {"training_s": seconds, "tokens": entries[-1]["num_tokens"], "last_loss": entries[-1]["loss"], "peak_mib": peak}


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


if __name__ == "__main__":
    main()
