"""Direct preference optimisation: of two answers to one prompt, the chosen one over the rejected one.

A model that is trained as a whole is compared with a second copy of itself that does not move, one with an adapter with its base:
the same model with the adapter switched off. Without a reference there is neither, see NoReference. With equal arguments and
seed in float32, a script that calls trl's DPOTrainer itself gets the same loss at every step. Rewards are beta times the
logarithm of a likelihood's ratio to the reference's; their accuracy is the share of pairs whose chosen answer has the higher one.
"""

from tunesmith.config.v1 import datasets_pb2, method_pb2

from services.chassis.errors import InvalidArgument
from workers.training.attempt import Attempt
from workers.training.base import check_chat_template, load_base
from workers.training.job_rows import check_datasets, read_job_rows
from workers.training.preference_trainer import make_preference_trainer
from workers.training.rows import Row

STRATEGY_PATH = "datasets.strategy"


def train(attempt: Attempt) -> None:
    """Train and store the result."""
    assignment = attempt.assignment
    check_datasets(assignment)

    attempt.stage(f"Loading {assignment.base_model.display_name}")
    model, tokenizer = load_base(attempt.inputs, attempt.plan)
    reference = None
    if assignment.configuration.method.type == method_pb2.TRAINING_METHOD_FULL and not attempt.plan.objective["reference_free"]:
        reference, _ = load_base(attempt.inputs, attempt.plan)
        reference.requires_grad_(False)

    attempt.stage("Preparing the data")
    training, validation = read_job_rows(attempt)
    strategy = assignment.configuration.datasets.strategy
    if are_turns(training, strategy) | are_turns(validation or training, strategy):
        check_chat_template(tokenizer, assistant_only=False)
    trainer = make_preference_trainer(attempt, model, reference, tokenizer, training, validation)

    attempt.train(trainer, tokenizer)


def are_turns(pairs: list[Row], strategy: datasets_pb2.DatasetStrategy) -> bool:
    """Whether pairs are rendered with a chat template. Raises InvalidArgument if that is not the strategy that was asked for."""
    turns = isinstance(pairs[0]["prompt"], list)
    if turns and strategy == datasets_pb2.DATASET_STRATEGY_STANDARD:
        text = "strategy STANDARD can't read turns, and these pairs are of turns; leave strategy unset, or set it to CHAT"
        raise InvalidArgument([(STRATEGY_PATH, text)])
    if not turns and strategy == datasets_pb2.DATASET_STRATEGY_CHAT:
        text = (
            "strategy CHAT needs pairs of turns, and these are of text; "
            "leave strategy unset, set it to STANDARD, or upload answers as lists of messages"
        )
        raise InvalidArgument([(STRATEGY_PATH, text)])
    return turns
