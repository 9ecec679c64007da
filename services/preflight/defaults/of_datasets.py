"""How rows become text."""

from collections.abc import Iterator

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1 import dataset_pb2

from services.preflight.defaults.suggestion import Circumstances, Suggestion
from services.preflight.formats import OF_TURNS, format_name

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
    rows = format_name(dataset.format).lower().replace("_", " ")
    if dataset.format in OF_TURNS:
        reason = f"the rows are {rows}, which the model's chat template renders"
        yield Suggestion("datasets.strategy", "DATASET_STRATEGY_CHAT", reason)
    elif dataset.format in _STANDARD:
        yield Suggestion("datasets.strategy", "DATASET_STRATEGY_STANDARD", f"the rows are {rows} and need no chat template")
