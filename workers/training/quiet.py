"""Keeping progress bars, and what is said again with every product, out of a worker's log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import datasets
from transformers.utils import logging as transformers_logging

# It warns at each product with 8-bit weights that it casts the other side, which is what such a product is.
_PRODUCTS = "bitsandbytes.autograd._functions"


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars inside; afterwards each library's are as they were. The hub's follow those of transformers."""
    products = logging.getLogger(_PRODUCTS)
    level = products.level
    products.setLevel(logging.ERROR)
    dataset_bars = not datasets.are_progress_bars_disabled()
    model_bars = transformers_logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        products.setLevel(level)
        if dataset_bars:
            datasets.enable_progress_bars()
        if model_bars:
            transformers_logging.enable_progress_bar()
