"""A job's rows, checked against what its objective learns from."""

from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import InvalidArgument
from workers.providers.local.datasets import SHAPES, refuse_dataset
from workers.training.attempt import Attempt
from workers.training.rows import Row, read_rows

TRAINING_PATH = "datasets.training_file_id"
VALIDATION_PATH = "datasets.validation_file_id"


def check_datasets(assignment: worker_service_pb2.Assignment) -> None:
    """What the job service checked at creation: a worker relies on nobody. Raises InvalidArgument."""
    strategy, objective = assignment.configuration.datasets.strategy, assignment.configuration.method.objective
    refusals = refuse_dataset(assignment.training_dataset.format, strategy, TRAINING_PATH, objective)
    if assignment.HasField("validation_dataset"):
        refusals += refuse_dataset(assignment.validation_dataset.format, strategy, VALIDATION_PATH, objective)
    if refusals:
        raise InvalidArgument([(refusal.field_path, refusal.detail) for refusal in refusals])
    shape = SHAPES[assignment.training_dataset.format]
    if assignment.HasField("validation_dataset") and SHAPES[assignment.validation_dataset.format] is not shape:
        text = f"the training dataset holds {shape.value}; upload validation rows of the same kind"
        raise InvalidArgument([(VALIDATION_PATH, text)])


def read_job_rows(attempt: Attempt) -> tuple[list[Row], list[Row] | None]:
    """Rows to train on and rows to evaluate on, None where nothing is evaluated."""
    assignment, inputs = attempt.assignment, attempt.inputs
    training = read_rows(inputs.training_rows, assignment.training_dataset.format, TRAINING_PATH)
    if not attempt.plan.evaluations or inputs.validation_rows is None:
        return training, None
    return training, read_rows(inputs.validation_rows, assignment.validation_dataset.format, VALIDATION_PATH)
