"""What a batch consists of on average, as far as time depends on it."""

from dataclasses import dataclass

from services.preflight.estimate.workload import Workload


@dataclass(frozen=True)
class Batch:
    """One forward pass on one device."""

    sequences: int
    # Tokens of a sequence, padding and soft prompt included.
    tokens: float
    # Rows of the dataset in it: more than sequences where several rows share one, and half as many where a row is a pair.
    rows: float
    # Tokens of those rows, padding left out.
    trained_tokens: float

    @property
    def all_tokens(self) -> int:
        """Tokens that go through the layers."""
        return max(1, round(self.sequences * self.tokens))


def batch_of(workload: Workload) -> Batch:
    """The batch of an average step, which is shorter than the largest one where batches are padded to their longest row."""
    count, mean = workload.batch_size, max(1.0, workload.mean_tokens)
    if workload.architecture.vision:
        return Batch(count, float(workload.sequence_tokens), count, count * workload.sequence_tokens)
    longest = max(float(workload.row_tokens), 1.0)
    mean = min(mean, longest)
    if workload.execution.packing:
        rows = workload.documents_per_row or longest / mean
        filled = min(longest, rows * mean)
        return Batch(count, filled + workload.virtual_tokens, count * rows, count * filled)
    if workload.execution.length_grouping:
        tokens = mean
    else:
        tokens = _longest_of(count, mean, longest) if workload.execution.dynamic_padding else longest
    return Batch(count, tokens + workload.virtual_tokens, workload.rows, count * mean)


def _longest_of(count: int, mean: float, longest: float) -> float:
    """What the longest of so many rows has on average, if lengths are spread evenly about their mean up to the longest."""
    return mean + (longest - mean) * (count - 1) / (count + 1)
