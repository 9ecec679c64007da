"""One straight file for each objective: load, prepare the rows, make a trainer, train. What they share lies one level up."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tunesmith.config.v1 import method_pb2

# Loaded when it is wanted: each brings a library's trainer with it.
MODULES: dict[method_pb2.TrainingObjective, str] = {
    method_pb2.TRAINING_OBJECTIVE_SFT: "supervised",
    method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING: "pretraining",
    method_pb2.TRAINING_OBJECTIVE_DPO: "preference",
    method_pb2.TRAINING_OBJECTIVE_DISTILLATION: "distillation",
    method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION: "classification",
}


def recipe_of(objective: method_pb2.TrainingObjective) -> Callable[[Any], None]:
    """What trains for an objective, given an Attempt."""
    train: Callable[[Any], None] = import_module(f"{__name__}.{MODULES[objective]}").train
    return train
