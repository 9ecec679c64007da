"""What is measured: every combination of shape, method, precision and checkpointing, with batches and lengths drawn by a seed."""

import itertools
import random
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.chassis.knobs import resolve_defaults

# A new one whenever figures of the unseen half were looked at and formulas or trainer changed afterwards.
SEED = 20261122
STEPS = 4
# (rows of a batch, tokens of its longest row).
CPU_BATCHES = ((1, 256), (1, 512), (2, 128), (2, 256), (2, 512), (4, 128), (4, 256), (8, 128))
GPU_BATCHES = ((1, 512), (1, 2048), (2, 1024), (4, 512), (4, 1024), (8, 512))
# Configurations that formulas were made with before halves were drawn: they are in the seen one for ever.
LOOKED_AT = (
    "gpt2 FULL FP32 - 2x256",
    "gpt2 LORA BF16 - 2x256",
    "llama FULL BF16 - 1x512",
    "llama FULL BF16 - 4x256",
    "llama FULL HELD - 2x256",
    "llama LORA FP32 - 2x256",
    "qwen3 LORA BF16 checkpointing 1x512",
    "qwen3 LORA FP32 - 4x256",
)
# A row shorter than the longest, so that batches are padded.
SHORT_SHARE = 0.7
HALVES = ("seen", "unseen")


@dataclass(frozen=True)
class Case:
    """One configuration."""

    shape: str
    method: str
    # FP32; BF16 with float32 master weights; HELD: everything in bfloat16.
    precision: str
    checkpointing: bool
    batch_size: int
    row_tokens: int

    @property
    def name(self) -> str:
        """For tables."""
        checkpointing = "checkpointing" if self.checkpointing else "-"
        return f"{self.shape} {self.method} {self.precision} {checkpointing} {self.batch_size}x{self.row_tokens}"

    @property
    def lengths(self) -> list[int]:
        """Of the rows: each batch is likely to have a long one, and all are trained on once."""
        short = max(8, int(self.row_tokens * SHORT_SHARE))
        return [self.row_tokens if number % 2 == 0 else short for number in range(STEPS * self.batch_size)]

    def configuration(self) -> JobConfiguration:
        """With defaults resolved."""
        model: dict[str, Any] = {"base_model": "measured"}
        model["precision"] = "MODEL_PRECISION_FP32" if self.precision == "FP32" else "MODEL_PRECISION_BF16"
        if self.method == "FULL" and self.precision != "FP32":
            model["master_weights"] = self.precision == "BF16"
        method: dict[str, Any] = {"type": f"TRAINING_METHOD_{self.method}"}
        if self.method == "LORA":
            method["lora_config"] = {"rank": 16}
        enabled = ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]
        enabled += ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"] if self.checkpointing else []
        made = ParseDict(
            {
                "model": model,
                "datasets": {"training_file_id": "rows"},
                "method": method,
                "schedule": {
                    "max_steps": STEPS,
                    "batch_size": self.batch_size,
                    "sequence_length": max(512, self.row_tokens),
                    "checkpoints": 0,
                },
                "optimizations": {"enabled": enabled},
            },
            JobConfiguration(),
        )
        resolve_defaults(made)
        return made


def cases(shapes: list[str], batches: tuple[tuple[int, int], ...], batches_each: int) -> list[Case]:
    """All of them, in one order for ever; each combination with so many batches."""
    draw = random.Random(SEED)
    held = [("FULL", "FP32"), ("FULL", "BF16"), ("FULL", "HELD"), ("LORA", "FP32"), ("LORA", "BF16")]
    return [
        Case(shape, method, precision, checkpointing, *batch)
        for shape, (method, precision), checkpointing in itertools.product(shapes, held, (False, True))
        for batch in draw.sample(batches, batches_each)
    ]


def half(all_cases: list[Case], which: str) -> list[Case]:
    """One of two halves, drawn by the seed: formulas are made with the seen one and judged by the other."""
    open_to_draw = [case for case in all_cases if case.name not in LOOKED_AT]
    random.Random(SEED + 1).shuffle(open_to_draw)
    unseen = set(open_to_draw[: len(all_cases) // 2])
    return [case for case in all_cases if (case in unseen) == (which == "unseen")]
