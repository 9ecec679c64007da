"""Rows that are not packed, for code that would look at their numbers to know it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import masking_utils


@contextmanager
def unpacked_rows() -> Iterator[None]:
    """Tell transformers that no two rows share a sequence.

    It finds out from the numbers of the positions, and makes a mask of all pairs of tokens where there are none to look at.
    """
    before = masking_utils.find_packed_sequence_indices
    masking_utils.find_packed_sequence_indices = _not_packed
    try:
        yield
    finally:
        masking_utils.find_packed_sequence_indices = before


def _not_packed(position_ids: torch.Tensor) -> None:
    """No mask is needed between rows."""
