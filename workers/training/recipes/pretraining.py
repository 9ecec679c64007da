"""Continued pre-training: the likelihood of whole texts.

Each text ends with the tokenizer's end of sequence and counts from its second token on. One that is longer than a row becomes
several rows (see document_pieces), none of which holds two texts unless rows are packed, and packed ones don't see each other.
The rest is as in supervised fine-tuning.
"""

from workers.training.attempt import Attempt
from workers.training.base import load_base
from workers.training.document_pieces import PretrainingTrainer
from workers.training.job_rows import check_datasets, read_job_rows
from workers.training.trainer import make_trainer


def train(attempt: Attempt) -> None:
    """Train and store the result."""
    assignment = attempt.assignment
    check_datasets(assignment)

    attempt.stage(f"Loading {assignment.base_model.display_name}")
    model, tokenizer = load_base(attempt.inputs, attempt.plan)

    attempt.stage("Preparing the data")
    training, validation = read_job_rows(attempt)
    trainer = make_trainer(attempt, model, tokenizer, training, validation, make=PretrainingTrainer)

    attempt.train(trainer, tokenizer)
