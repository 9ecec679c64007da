"""Knowledge distillation: what a teacher says of the rows' tokens, beside the likelihood of the rows.

Nothing is generated: both models read the same rows, and the student learns the teacher's whole distribution where plain training
learns one token of it. The teacher is frozen and has the same vocabulary; where its weight is 0 it is not loaded, and the run is
supervised fine-tuning to the last bit. For the loss see DistillationTrainer; `teacher_divergence` is its divergence by itself.
"""

from dataclasses import replace
from functools import partial

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from workers.training.attempt import Attempt
from workers.training.base import load_base
from workers.training.distillation_trainer import DistillationTrainer
from workers.training.job_rows import check_datasets
from workers.training.learnable_rows import read_learnable_rows
from workers.training.packing import attend_by_document, check_that_documents_stay_apart
from workers.training.positions import position_count
from workers.training.teacher import load_teacher
from workers.training.trainer import make_trainer


def train(attempt: Attempt) -> None:
    """Train and store the result."""
    assignment, objective = attempt.assignment, attempt.plan.objective
    check_datasets(assignment)

    attempt.stage(f"Loading {assignment.base_model.display_name}")
    model, tokenizer = load_base(attempt.inputs, attempt.plan)
    teacher = _teacher(attempt, tokenizer)

    attempt.stage("Preparing the data")
    training, validation = read_learnable_rows(attempt, tokenizer)
    settings = {name: objective[name] for name in ("temperature", "teacher_weight")}
    make = partial(DistillationTrainer, teacher=teacher, **settings)
    trainer = make_trainer(attempt, model, tokenizer, training, validation, make)

    attempt.train(trainer, tokenizer)


def _teacher(attempt: Attempt, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel | None:
    """The teacher; rows are cut to what it has positions for, too."""
    plan, name = attempt.plan, attempt.assignment.teacher_model.display_name
    if not plan.objective["teacher_weight"]:
        attempt.sink.warning(f"The teacher's weight is 0, so {name} is not loaded and only the likelihood of the rows counts")
        return None
    attempt.stage(f"Loading {name}, the teacher")
    teacher = load_teacher(attempt.inputs, plan.objective["teacher"], tokenizer)
    if plan.trainer["packing"]:
        attend_by_document(teacher)
        check_that_documents_stay_apart(teacher, teacher)
    positions, length = position_count(teacher), plan.trainer["max_length"]
    if positions is not None and positions < length:
        attempt.sink.warning(f"The teacher has positions for {positions} tokens: rows are cut there, not at {length}")
        padded = plan.trainer["pad_to_multiple_of"] and positions
        attempt.plan = replace(plan, trainer=plan.trainer | {"max_length": positions, "pad_to_multiple_of": padded})
    return teacher
