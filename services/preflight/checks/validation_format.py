"""A held-out loss says something only of rows of the same kind."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight.facts import Facts
from services.preflight.findings import error, fix, remove

PATH = "datasets.validation_file_id"


def check(facts: Facts) -> Iterator[Finding]:
    """VALIDATION_FORMAT_DIFFERS."""
    training, validation = facts.training_dataset, facts.validation_dataset
    if training is not None and validation is not None and training.format != validation.format:
        text = "the validation dataset has another format than the training dataset; upload both in one format"
        yield error("VALIDATION_FORMAT_DIFFERS", PATH, text, fix("Train without a validation dataset", remove(PATH)))
