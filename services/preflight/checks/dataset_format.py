"""What the rows are, against the strategy and against what the provider trains on."""

from collections.abc import Iterator

from tunesmith.config.v1 import datasets_pb2, method_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding, Fix
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1.dataset_pb2 import Dataset

from services.preflight import families, methods
from services.preflight.facts import Facts
from services.preflight.findings import error, fix, put
from services.preflight.formats import CHAT, STANDARD, format_name, has_turns
from workers.providers.provider import Provider

STRATEGY = "datasets.strategy"
TRAINING = "datasets.training_file_id"
OBJECTIVE = "method.objective"
UNSET = datasets_pb2.DATASET_STRATEGY_UNSPECIFIED
# Rows that one objective learns from and no other.
MADE_FOR = {
    dataset_pb2.DATASET_FORMAT_PREFERENCE: method_pb2.TRAINING_OBJECTIVE_DPO,
    dataset_pb2.DATASET_FORMAT_TEXT_LABEL: method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION,
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION,
}


def check(facts: Facts) -> Iterator[Finding]:
    """STRATEGY_MISMATCH, DATASET_FORMAT_NOT_SUPPORTED."""
    datasets = {TRAINING: facts.training_dataset, "datasets.validation_file_id": facts.validation_dataset}
    strategy = facts.configuration.datasets.strategy
    for path, dataset in datasets.items():
        if dataset is None:
            continue
        mismatch = _mismatch(dataset, strategy)
        if mismatch:
            yield error("STRATEGY_MISMATCH", STRATEGY, mismatch, _fitting(facts, dataset))
        if facts.provider is None:
            continue
        for refusal in facts.provider.refuse_dataset(dataset.format, UNSET, path, facts.configuration.method.objective):
            change = _learning_from(facts.provider, dataset) if path == TRAINING else None
            yield error("DATASET_FORMAT_NOT_SUPPORTED", refusal.field_path, refusal.detail, change)


def _mismatch(dataset: Dataset, strategy: int) -> str:
    name = format_name(dataset.format)
    if strategy == CHAT and has_turns(dataset) is False:
        name = f"{name} of text" if dataset.format == dataset_pb2.DATASET_FORMAT_PREFERENCE else name
        return (
            f"strategy CHAT needs a dataset of MESSAGES or SHAREGPT, and {dataset.display_name} was detected as {name}; "
            "leave strategy unset, set it to STANDARD, or upload messages"
        )
    if strategy == STANDARD and has_turns(dataset):
        name = f"{name} of turns" if dataset.format == dataset_pb2.DATASET_FORMAT_PREFERENCE else name
        return (
            f"strategy STANDARD can't read messages, and {dataset.display_name} was detected as {name}; "
            "leave strategy unset, or set it to CHAT"
        )
    return ""


def _learning_from(provider: Provider, dataset: Dataset) -> Fix | None:
    """The objective that learns from the training rows: the one they are made for, or SFT; None if the provider has none."""
    objective = MADE_FOR.get(dataset.format, method_pb2.TRAINING_OBJECTIVE_SFT)
    if not methods.acts(provider, OBJECTIVE, objective) or provider.refuse_dataset(dataset.format, UNSET, TRAINING, objective):
        return None
    name = method_pb2.TrainingObjective.Name(objective)
    return fix(f"Set the objective to {name.removeprefix('TRAINING_OBJECTIVE_')}", put(OBJECTIVE, name))


def _fitting(facts: Facts, dataset: Dataset) -> Fix | None:
    if not has_turns(dataset):
        return fix("Set strategy to STANDARD", put(STRATEGY, "DATASET_STRATEGY_STANDARD"))
    if facts.base_model is not None and families.has_chat_template(facts.base_model) is False:
        # The other strategy would not work either; the check of the template says what would.
        return None
    return fix("Set strategy to CHAT", put(STRATEGY, "DATASET_STRATEGY_CHAT"))
