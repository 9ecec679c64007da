"""Attention over rows that share one sequence: each token sees its own row, and nothing else is computed.

Measured on a CPU against a mask of all pairs of tokens, which transformers makes of positions that restart: 2 to 17 times less
processor time forward and back for some hundred tokens and 21 to 61 times less for 8,000, since the scores of pairs from two rows
are never made. Padding the rows of a sequence into a batch of their own was slower too.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

# As models name it in `attn_implementation`. Masks are made for names that are registered for masks; this one is not.
WITHIN_DOCUMENTS = "within_documents"
# What some models add to their scores. Left out, it would be another model.
_UNKNOWN = ("softcap", "s_aux", "position_bias")


class NotWithinDocuments(ValueError):
    """A model asks something of its attention that is not done row by row; the message says what."""


def attend_within_documents(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    document_lengths: Sequence[int] | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """torch's scaled dot product attention, one row at a time, over one sequence of `document_lengths`."""
    if document_lengths is None or attention_mask is not None or query.shape[0] != 1:
        raise NotWithinDocuments("it does not tell its attention where rows begin")
    for name in _UNKNOWN:
        if others.get(name) is not None:
            raise NotWithinDocuments(f"its attention has {name}")
    lengths = list(document_lengths)
    # Splitting is undone by one concatenation on the way back; slices would each fill a gradient of the whole sequence.
    rows = zip(query.split(lengths, dim=2), key.split(lengths, dim=2), value.split(lengths, dim=2), strict=True)
    attended = [
        sdpa_attention_forward(module, *row, _window(row[0], sliding_window), dropout=dropout, scaling=scaling, is_causal=True)[0]
        for row in rows
    ]
    return torch.cat(attended, dim=1), None


def _window(query: torch.Tensor, size: int | None) -> torch.Tensor | None:
    """What each token of a row may see, if that is less than everything before it."""
    length = query.shape[2]
    if size is None or length <= size:
        return None
    seen = torch.ones(length, length, dtype=torch.bool, device=query.device).tril().triu(1 - size)
    return seen[None, None]


AttentionInterface.register(WITHIN_DOCUMENTS, attend_within_documents)
