"""The columns that rows of a format have to have."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.chassis.dataset_columns import REQUIRED_COLUMNS
from services.preflight.facts import Facts
from services.preflight.findings import error
from services.preflight.formats import format_name


def check(facts: Facts) -> Iterator[Finding]:
    """DATASET_COLUMN_MISSING, DATASET_COLUMN_INCOMPLETE."""
    datasets = {"datasets.training_file_id": facts.training_dataset, "datasets.validation_file_id": facts.validation_dataset}
    for path, dataset in datasets.items():
        if dataset is None or not dataset.columns:
            continue
        label = dataset.display_name
        counts = {column.name: column.value_count for column in dataset.columns}
        for name in REQUIRED_COLUMNS.get(dataset.format, ()):
            if name not in counts:
                text = f"{label} has no column {name}, which {format_name(dataset.format)} rows need; upload it again with it"
                yield error("DATASET_COLUMN_MISSING", path, text)
            elif counts[name] < dataset.row_count:
                without = dataset.row_count - counts[name]
                text = f"{without:,} of {dataset.row_count:,} rows of {label} have no {name}; fill it in or leave them out"
                yield error("DATASET_COLUMN_INCOMPLETE", path, text)
