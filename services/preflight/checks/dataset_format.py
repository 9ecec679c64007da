"""What the rows are, against the strategy and against what the provider trains on."""

from collections.abc import Iterator

from tunesmith.config.v1 import datasets_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding, Fix
from tunesmith.registry.v1.dataset_pb2 import Dataset

from services.preflight import families
from services.preflight.facts import Facts
from services.preflight.findings import error, fix, put
from services.preflight.formats import CHAT, OF_TURNS, STANDARD, format_name

STRATEGY = "datasets.strategy"
UNSET = datasets_pb2.DATASET_STRATEGY_UNSPECIFIED


def check(facts: Facts) -> Iterator[Finding]:
    """STRATEGY_MISMATCH, DATASET_FORMAT_NOT_SUPPORTED."""
    datasets = {"datasets.training_file_id": facts.training_dataset, "datasets.validation_file_id": facts.validation_dataset}
    strategy = facts.configuration.datasets.strategy
    for path, dataset in datasets.items():
        if dataset is None:
            continue
        mismatch = _mismatch(dataset, strategy)
        if mismatch:
            yield error("STRATEGY_MISMATCH", STRATEGY, mismatch, _fitting(facts, dataset))
        for refusal in facts.provider.refuse_dataset(dataset.format, UNSET, path) if facts.provider is not None else ():
            yield error("DATASET_FORMAT_NOT_SUPPORTED", refusal.field_path, refusal.detail)


def _mismatch(dataset: Dataset, strategy: int) -> str:
    name = format_name(dataset.format)
    if strategy == CHAT and dataset.format not in OF_TURNS:
        return (
            f"strategy CHAT needs a dataset of MESSAGES or SHAREGPT, and {dataset.display_name} was detected as {name}; "
            "leave strategy unset, set it to STANDARD, or upload messages"
        )
    if strategy == STANDARD and dataset.format in OF_TURNS:
        return (
            f"strategy STANDARD can't read messages, and {dataset.display_name} was detected as {name}; "
            "leave strategy unset, or set it to CHAT"
        )
    return ""


def _fitting(facts: Facts, dataset: Dataset) -> Fix | None:
    if dataset.format not in OF_TURNS:
        return fix("Set strategy to STANDARD", put(STRATEGY, "DATASET_STRATEGY_STANDARD"))
    if facts.base_model is not None and families.has_chat_template(facts.base_model) is False:
        # The other strategy would not work either; the check of the template says what would.
        return None
    return fix("Set strategy to CHAT", put(STRATEGY, "DATASET_STRATEGY_CHAT"))
