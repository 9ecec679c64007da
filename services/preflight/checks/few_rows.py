"""Few rows teach a model little."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight.facts import Facts
from services.preflight.findings import note, warning

# Below the first a person has to say that they mean it; below the second it is worth knowing.
FEW_ROWS = 10
SMALL_DATASET_ROWS = 500
PATH = "datasets.training_file_id"


def check(facts: Facts) -> Iterator[Finding]:
    """FEW_ROWS, SMALL_DATASET."""
    dataset = facts.training_dataset
    if dataset is None:
        return
    count = dataset.row_count
    if count < FEW_ROWS:
        text = f"the training dataset has {count} rows, and fewer than {FEW_ROWS} teach a model little; add rows"
        yield warning("FEW_ROWS", PATH, text)
    elif count < SMALL_DATASET_ROWS:
        text = f"the training dataset has {count} rows; results become steady from {SMALL_DATASET_ROWS} on"
        yield note("SMALL_DATASET", PATH, text)
