"""How rows become text."""

from collections.abc import Iterator

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1 import dataset_pb2

from services.preflight.defaults.suggestion import Circumstances, Suggestion

_CHAT = (dataset_pb2.DATASET_FORMAT_MESSAGES, dataset_pb2.DATASET_FORMAT_SHAREGPT)
_STANDARD = (
    dataset_pb2.DATASET_FORMAT_TEXT,
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION,
    dataset_pb2.DATASET_FORMAT_ALPACA,
)


def of_datasets(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """The strategy that fits the dataset's rows."""
    dataset = circumstances.dataset
    if dataset is None:
        return
    rows = dataset_pb2.DatasetFormat.Name(dataset.format).removeprefix("DATASET_FORMAT_").lower().replace("_", " ")
    if dataset.format in _CHAT:
        reason = f"the rows are {rows}, which the model's chat template renders"
        yield Suggestion("datasets.strategy", "DATASET_STRATEGY_CHAT", reason)
    elif dataset.format in _STANDARD:
        yield Suggestion("datasets.strategy", "DATASET_STRATEGY_STANDARD", f"the rows are {rows} and need no chat template")
