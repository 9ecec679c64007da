"""Supervised fine-tuning: the likelihood of the rows.

With equal arguments and seed in float32, a script that calls trl's SFTTrainer itself gets the same loss at every step: nothing
here touches what the trainer computes. The trainer runs on the first GPU, or on the CPU where there is none; torch's threads are
the caller's choice. BF16 means autocast to bfloat16 with trained weights in float32 or in bfloat16 (see providers.local.model).
An attempt that goes on where an earlier one stood gets the same losses as one that was never interrupted (see training_state).
"""

from workers.providers.local.datasets import SHAPES, RowShape
from workers.training.attempt import Attempt
from workers.training.base import load_base
from workers.training.job_rows import check_datasets
from workers.training.learnable_rows import read_learnable_rows
from workers.training.trainer import make_trainer


def train(attempt: Attempt) -> None:
    """Train and store the result."""
    assignment = attempt.assignment
    check_datasets(assignment)
    if SHAPES[assignment.training_dataset.format] is RowShape.IMAGE_CAPTION:
        # Loaded when it is wanted: what reads pictures takes memory that most jobs have no use for.
        from workers.training.recipes import captioning

        captioning.train(attempt)
        return

    attempt.stage(f"Loading {assignment.base_model.display_name}")
    model, tokenizer = load_base(attempt.inputs, attempt.plan)

    attempt.stage("Preparing the data")
    training, validation = read_learnable_rows(attempt, tokenizer)
    trainer = make_trainer(attempt, model, tokenizer, training, validation)

    attempt.train(trainer, tokenizer)
