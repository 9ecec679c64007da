"""How long rows are once they are trained on: what is padded, what is cut, what the longest batch has."""

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1.base_model_pb2 import BaseModel
from tunesmith.registry.v1.dataset_pb2 import Dataset
from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics

from services.preflight import methods
from services.preflight.formats import holds_pictures


def ceiling(configuration: JobConfiguration, model: BaseModel | None) -> int:
    """Tokens that a row is cut to: what a soft prompt leaves of a sequence."""
    length = configuration.schedule.sequence_length
    positions = position_count(configuration, model)
    tokens = min(length, positions) if positions else length
    method = configuration.method
    return max(1, tokens - (method.prompt_tuning_config.num_virtual_tokens if method.type in methods.SOFT_PROMPTS else 0))


def position_count(configuration: JobConfiguration, model: BaseModel | None) -> int:
    """Tokens that the model has positions for, stretched if they are to be; 0 if nobody knows."""
    positions = model.architecture.max_position_count if model is not None else 0
    if configuration.model.HasField("rope_scaling"):
        return int(positions * (configuration.model.rope_scaling.factor or 1))
    return positions


def mean_tokens(dataset: Dataset | None, statistics: DatasetStatistics | None) -> float | None:
    """Tokens of a row on average, before anything is cut; None if nobody has counted."""
    if dataset is not None and holds_pictures(dataset.format):
        return None
    if statistics is not None and statistics.mean_tokens:
        return statistics.mean_tokens
    if dataset is not None and dataset.row_count and dataset.estimated_token_count:
        return dataset.estimated_token_count / dataset.row_count
    return None


def mean_trained_tokens(mean: float | None, statistics: DatasetStatistics | None, limit: int) -> float:
    """Tokens of a row on average that are trained on; the ceiling where nobody has counted."""
    if mean is None:
        return float(limit)
    if statistics is None or statistics.max_tokens <= limit or not statistics.token_histogram:
        return min(mean, float(limit))
    # Long rows are cut, short ones are not: the mean of what is left, by bins.
    bins = statistics.token_histogram
    rows = sum(one.row_count for one in bins)
    whole = sum(one.row_count * (one.lower + one.upper) / 2 for one in bins)
    cut = sum(one.row_count * min((one.lower + one.upper) / 2, limit) for one in bins)
    return min(mean * cut / whole, float(limit)) if rows and whole else min(mean, float(limit))


def longest_tokens(statistics: DatasetStatistics | None, limit: int, *, padded_to_the_limit: bool) -> int:
    """Tokens of a row in the batch that takes the most memory, padding included. Where nobody has counted, the ceiling."""
    if padded_to_the_limit or statistics is None or not statistics.max_tokens:
        return limit
    return int(min(statistics.max_tokens, limit))
