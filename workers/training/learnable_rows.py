"""Rows whose likelihood is learnt: each has something that counts, and the model can render it."""

from transformers import PreTrainedTokenizerBase

from services.chassis.errors import InvalidArgument
from workers.training.attempt import Attempt
from workers.training.base import check_chat_template
from workers.training.job_rows import TRAINING_PATH, VALIDATION_PATH, read_job_rows
from workers.training.rows import Row
from workers.training.sink import Sink


def read_learnable_rows(attempt: Attempt, tokenizer: PreTrainedTokenizerBase) -> tuple[list[Row], list[Row] | None]:
    """Rows to train on and rows to evaluate on, None where nothing is evaluated. Raises InvalidArgument if none are left, or if
    they are turns and the model has no template for them.
    """
    answers_only = attempt.plan.trainer["assistant_only_loss"]
    training, validation = read_job_rows(attempt)
    if any(isinstance(value, list) for value in training[0].values()):
        check_chat_template(tokenizer, assistant_only=answers_only)
    if answers_only:
        training = _answered(training, TRAINING_PATH, attempt.sink)
        validation = validation and _answered(validation, VALIDATION_PATH, attempt.sink)
    return training, validation


def _answered(rows: list[Row], field_path: str, sink: Sink) -> list[Row]:
    """Conversations in which the assistant says something: where only that counts, the others teach nothing."""
    answered = [row for row in rows if any(turn["role"] == "assistant" for turn in row["messages"])]
    if not answered:
        text = (
            "no conversation has an assistant's turn, and only those count; add them, or set schedule.train_on_inputs to ENABLED"
        )
        raise InvalidArgument([(field_path, text)])
    if len(answered) < len(rows):
        sink.warning(f"{len(rows) - len(answered)} of {len(rows)} rows of {field_path} have no assistant's turn and are left out")
    return answered
