"""How many steps a run has, and what depends on it."""

import math
from typing import Any


def leave_room_to_fall(trainer: Any) -> None:
    """transformers divides a polynomial curve by the steps left after the warm-up, which may be none."""
    if trainer.args.lr_scheduler_type == "polynomial":
        steps = total_steps(trainer)
        trainer.args.warmup_steps = min(trainer.args.get_warmup_steps(steps), steps - 1)


def total_steps(trainer: Any) -> int:
    """Optimiser steps of the whole run."""
    arguments = trainer.args
    if arguments.max_steps > 0:
        return arguments.max_steps
    rows: Any = trainer.train_dataset
    batches = math.ceil(len(rows) / (arguments.per_device_train_batch_size * arguments.world_size))
    return int(arguments.num_train_epochs) * math.ceil(batches / arguments.gradient_accumulation_steps)
