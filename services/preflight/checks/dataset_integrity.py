"""Rows that are not those which were stored are trained on by nobody."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.registry.v1 import dataset_pb2

from services.preflight.facts import Facts
from services.preflight.findings import error


def check(facts: Facts) -> Iterator[Finding]:
    """DATASET_INTEGRITY_FAILED."""
    datasets = {"datasets.training_file_id": facts.training_dataset, "datasets.validation_file_id": facts.validation_dataset}
    for path, dataset in datasets.items():
        if dataset is not None and dataset.integrity.status == dataset_pb2.INTEGRITY_STATUS_FAILED:
            why = dataset.integrity.message or "its rows are not those that were stored"
            text = f"{dataset.display_name} failed its integrity check: {why}; upload it again, or look once more: " + (
                f"POST /v1/datasets/{dataset.id}:verify"
            )
            yield error("DATASET_INTEGRITY_FAILED", path, text)
