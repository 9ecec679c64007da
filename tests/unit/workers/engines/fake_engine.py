"""Behaves as an engine does: progress bars, the trainer's lines, a checkpoint, a result. Run as `python -m axolotl.cli.train`.

What the file `wrong` beside the base model says is what goes wrong: `fail`, `nan`, or `hang` until it is ended.
"""

import json
import os
import struct
import sys
import time
from pathlib import Path

import yaml


def main(file: str) -> None:
    """Train nothing."""
    configuration = yaml.safe_load(Path(file).read_text())
    rows = Path(configuration["datasets"][0]["path"]).read_text().splitlines()
    sys.stderr.write(f"Tokenizing: 100%|##| {len(rows)}/{len(rows)} [00:00<00:00, 99it/s]\n")
    Path("seen.json").write_text(json.dumps({"environment": dict(os.environ), "configuration": configuration}))
    wrong = (Path(configuration["base_model"]) / "wrong").read_text()
    for step in range(1, configuration["max_steps"] + 1):
        sys.stdout.write(f"\r  0%|  | {step}/4 [00:00<00:01, 1.0it/s]")
        loss = "nan" if step == 3 and wrong == "nan" else f"{2 / step:.4g}"
        line = {"loss": loss, "grad_norm": "0.5", "learning_rate": "0.001", "num_tokens": "9", "epoch": f"{step / 4}"}
        sys.stdout.write(f"\r        \r{line}\n")
        sys.stdout.flush()
        if wrong == "hang":
            Path(configuration["base_model"], "pid").write_text(str(os.getpid()))
            time.sleep(60)
    print({"eval_loss": "0.75", "eval_runtime": "0.1", "epoch": "1"})
    if wrong == "fail":
        print("Traceback: CUDA out of memory")
        print(f"the key was {os.environ.get('WANDB_API_KEY')}")
        sys.exit(3)
    output = Path(configuration["output_dir"])
    (output / "checkpoint-4").mkdir(parents=True)
    (output / "checkpoint-4" / "optimizer.pt").write_bytes(b"pickle")
    (output / "training_args.bin").write_bytes(b"pickle")
    (output / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": configuration["base_model"], "r": 8}))
    (output / "adapter_model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    (output / "tokenizer.json").write_text("{}")
    (output / "README.md").write_text(f"base_model: {configuration['base_model']}")


if __name__ == "__main__":
    main(sys.argv[1])
