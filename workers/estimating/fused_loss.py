"""trl's loss in parts, run for what it holds and not for its result."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from trl.kernels import chunked_logprob

_LIKE_TURNS = 2


@contextmanager
def trimmed_loss(*, cuda: bool) -> Iterator[None]:
    """Have trl's own code do two turns of its loops: every turn allocates and frees the same, and two million tokens make 2,000.

    For a GPU, what folds a part into the sums allocates nothing: Triton's kernels work in place there, and torch's own products
    add up in float32 without copies.
    """
    changes: dict[str, Any] = {"range": _few}
    if cuda:
        changes |= {"_forward_tile": _nothing, "_backward_tile": _nothing, "_addmm_fp32": _nothing}
    before = {name: getattr(chunked_logprob, name) for name in changes if hasattr(chunked_logprob, name)}
    for name, value in changes.items():
        setattr(chunked_logprob, name, value)
    try:
        yield
    finally:
        for name in changes:
            if name in before:
                setattr(chunked_logprob, name, before[name])
            else:
                delattr(chunked_logprob, name)


def _few(*arguments: int) -> range:
    return range(*arguments)[:_LIKE_TURNS]


def _nothing(*arguments: torch.Tensor | object, **settings: object) -> None:
    """Works in place."""
