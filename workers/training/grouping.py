"""Batches of rows of about the same length, in an order that the seed and the epoch decide."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.compute
import torch
from datasets import Dataset
from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices


class LengthGroups(LengthGroupedSampler):
    """transformers' sampler, whose order depends on nothing but seed and epoch.

    Its own draws from the process's random numbers, so that a run that goes on in the middle would get another order.
    """

    def __init__(self, lengths: Sequence[int], rows_of_a_step: int, seed: int) -> None:
        super().__init__(rows_of_a_step, lengths=list(lengths))
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The trainer tells before each epoch."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        draw = torch.Generator().manual_seed(self._seed + self._epoch)
        indices: list[int] = get_length_grouped_indices(self.lengths, self.batch_size, generator=draw)
        return iter(indices)


def length_groups(arguments: Any, lengths: Sequence[int]) -> LengthGroups:
    """For a trainer's arguments and the lengths of its rows."""
    rows_of_a_step = arguments.train_batch_size * arguments.gradient_accumulation_steps
    return LengthGroups(lengths, rows_of_a_step, arguments.seed)


def token_counts(dataset: Dataset) -> Any:
    """Tokens of each tokenised row, as an Arrow array."""
    return pyarrow.compute.list_value_length(dataset.with_format("arrow")["input_ids"])
