"""One recipe for both sides of a comparison: as a job's configuration, and as what the plain script is told."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunesmith.registry.v1 import dataset_pb2

from bench.record import ROOT
from workers.training.rows import read_rows

ALPACA = ROOT.parent / "shared" / "data" / "chat" / "alpaca_en_demo.json"
ROW_COUNT = 200


@dataclass(frozen=True)
class Recipe:
    """LoRA in float32 with small batches, each padded to its longest row."""

    steps: int
    rank: int = 8
    alpha: int = 16
    batch_size: int = 4
    sequence_length: int = 512
    learning_rate: float = 1e-3
    seed: int = 7

    def configuration(self, dataset_id: str) -> dict[str, Any]:
        """As JSON for CreateJob."""
        return {
            "model": {"base_model": "tunesmith/pico", "precision": "MODEL_PRECISION_FP32"},
            "datasets": {"training_file_id": dataset_id},
            "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": self.rank, "alpha": self.alpha}},
            "schedule": {
                "max_steps": self.steps,
                "batch_size": self.batch_size,
                "sequence_length": self.sequence_length,
                "checkpoints": 0,
                "seed": self.seed,
            },
            "optimizer": {"learning_rate": self.learning_rate},
            "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]},
        }

    def arguments(self) -> list[str]:
        """For bench/plain_recipe.py."""
        return [word for name, value in asdict(self).items() for word in (f"--{name.replace('_', '-')}", str(value))]


def alpaca_rows() -> list[dict[str, Any]]:
    """The first rows of the instructions beside the checkout. Raises FileNotFoundError where there are none."""
    rows: list[dict[str, Any]] = json.loads(ALPACA.read_text(encoding="utf-8"))
    return rows[:ROW_COUNT]


def write_prompts(folder: Path) -> Path:
    """The same rows as prompts and completions, which is what the plain script reads."""
    source, target = folder / "alpaca.jsonl", folder / "prompts.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in alpaca_rows()), encoding="utf-8")
    rows = read_rows(source, dataset_pb2.DATASET_FORMAT_ALPACA, "rows")
    target.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return target
