"""The learning rate's curves, as transformers runs them, against the formulas that the configuration promises."""

import math
from typing import Any

import pytest
import torch
from transformers import get_scheduler
from trl import SFTConfig

from workers.providers.local.optimizer import scheduler_arguments

from .conftest import Submit

STEPS = 40
RATE = 0.02
TOLERANCE = 1e-12

CASES = [
    ("COSINE", 0.0, 0.0, None),
    ("COSINE", 0.1, 0.1, None),
    ("COSINE", 0.25, 0.2, 1.0),
    ("COSINE", 0.0, 0.1, 2.0),
    ("COSINE", 1.0, 0.1, None),
    ("LINEAR", 0.0, 0.1, None),
    ("LINEAR", 0.2, 0.1, None),
    ("LINEAR", 1.0, 0.1, None),
    ("CONSTANT", 0.0, 0.0, None),
    ("CONSTANT", 0.3, 0.3, None),
    ("CONSTANT_WITH_WARMUP", 0.0, 0.25, None),
    ("POLYNOMIAL", 0.0, 0.0, None),
    ("POLYNOMIAL", 0.1, 0.33, None),
    ("POLYNOMIAL", 1.0, 0.1, None),
    ("COSINE", 0.0, 1.0, None),
    ("LINEAR", 0.0, 1.0, None),
]


def promised(curve: str, ratio: float, warmup: float, cycles: float | None, step: int) -> float:
    """The rate at a step, from the words in optimizer.proto."""
    climb = 0 if curve == "CONSTANT" else math.ceil(STEPS * warmup)
    if step < climb:
        return RATE * step / climb
    if curve.startswith("CONSTANT"):
        return RATE
    share = (step - climb) / (STEPS - climb)
    fall = {
        "COSINE": 0.5 * (1 + math.cos(2 * math.pi * (0.5 if cycles is None else cycles) * share)),
        "LINEAR": 1 - share,
        "POLYNOMIAL": (1 - share) ** 2,
    }[curve]
    return RATE * (ratio + (1 - ratio) * fall)


@pytest.mark.parametrize(("curve", "ratio", "warmup", "cycles"), CASES)
def test_a_curve_is_what_was_promised(
    submit: Submit, tmp_path: Any, curve: str, ratio: float, warmup: float, cycles: float | None
) -> None:
    scheduler: dict[str, Any] = {"type": f"LR_SCHEDULER_TYPE_{curve}", "min_lr_ratio": ratio, "warmup_ratio": warmup}
    if cycles is not None:
        scheduler["cycles"] = cycles
    _, resolved = submit({"optimizer": {"learning_rate": RATE, "scheduler": scheduler}})
    arguments = scheduler_arguments(resolved.optimizer)
    config = SFTConfig(output_dir=str(tmp_path), use_cpu=True, learning_rate=RATE, **arguments)
    assert rates(config) == pytest.approx([promised(curve, ratio, warmup, cycles, step) for step in range(STEPS)], abs=TOLERANCE)


def rates(config: SFTConfig) -> list[float]:
    """The rate of each step, from torch and the scheduler that the trainer would make."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
    scheduler = get_scheduler(
        config.lr_scheduler_type,
        optimizer,
        num_warmup_steps=config.get_warmup_steps(STEPS),
        num_training_steps=STEPS,
        scheduler_specific_kwargs=config.lr_scheduler_kwargs,
    )
    seen = []
    for _ in range(STEPS):
        seen.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return seen
